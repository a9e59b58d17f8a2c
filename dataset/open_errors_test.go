package dataset

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestOpenErrors(t *testing.T) {
	one := pngOf(1)
	wide := make([]string, 30)
	for i := range wide {
		wide[i] = strings.Repeat("c", i+1)
	}
	files := func(members ...member) fstest.MapFS { return folderFS("d", members) }
	for _, c := range []struct {
		name string
		fsys fs.FS
		path string
		o    Options
		want string
	}{
		{"missing", files(), "gone.csv", Options{}, "dataset: open gone.csv: file does not exist"},
		{"missing tar", files(member{"a.tar", ""}), "d/{a,b}.tar", Options{}, "dataset: open d/b.tar: file does not exist"},
		{"unknown kind", files(member{"x.parquet", ""}), "d/x.parquet", Options{}, "dataset: d/x.parquet: no format of Options.Formats reads this"},
		{"empty folder", files(member{"README.md", ""}), "d", Options{}, "dataset: d: the set is empty: no image was found"},
		{"two tables", files(member{"a.csv", "image,caption\n1.png,one\n"}, member{"b.csv", "image,caption\n1.png,two\n"}, member{"1.png", one}), "d", Options{}, `dataset: d: several tables, a.csv names 1 of 1 image; b.csv names 1 of 1 image: name the one to open`},
		{"empty CSV", files(member{"a.csv", ""}), "d/a.csv", Options{}, "dataset: d/a.csv: empty, not even a header line"},
		{"only a header", files(member{"a.csv", "image,caption\n"}), "d/a.csv", Options{}, "dataset: d/a.csv: the set is empty: no image was found"},
		{"no columns", files(member{"a.csv", "url,TEXT,\"a \"\"b\"\"\"\nx,y,z\n"}), "d/a.csv", Options{}, `dataset: d/a.csv: no column of the image (image, file_name, filepath, filename, path, img, image_name, image_path, file, id); the columns are "url", "TEXT", "a \"b\""`},
		{"no caption", files(member{"a.csv", "image,url\nx,y\n"}), "d/a.csv", Options{}, `dataset: d/a.csv: no column of the caption (caption, captions, text, title, comment, description, sentence, alt_text, productDisplayName, txt) nor of the label (label, class, category, class_id, class_name, breed, species, cls); the columns are "image", "url"`},
		{"chosen column", files(member{"a.csv", "image,caption\nx,y\n"}), "d/a.csv", Options{CaptionKey: "alt"}, `dataset: d/a.csv: no column of the caption (alt); the columns are "image", "caption"`},
		{"many columns", files(member{"a.csv", strings.Join(wide, ",")}), "d/a.csv", Options{ImageKey: "p", CaptionKey: "c"}, `"cccccccccccccccccccc" and 10 more`},
		{"all rows bad", files(member{"a.csv", "image,caption\nx\n,y\nz,\"open\n"}), "d/a.csv", Options{}, `dataset: d/a.csv: none of 3 samples can be used; the first (no key): a.csv, line 2: fields: 1, columns in the header: 2 (a field with a ',' needs quotes)`},
		{"escaping path", files(member{"a.csv", "image,caption\nx.png,one\na/../../x.png,two\n"}), "d/a.csv", Options{AllowOutside: true}, `dataset: d/a.csv: line 3: path "a/../../x.png" leads out of the set, which cannot be here`},
		{"absolute path", files(member{"a.csv", "image,caption\n/etc/x.png,one\n"}), "d/a.csv", Options{}, `dataset: d/a.csv: line 2: path "/etc/x.png" leads out of the set, which cannot be here`},
		{"no JSON field", files(member{"a.jsonl", `{"url":"x","b":1}` + "\n{}\n"}), "d/a.jsonl", Options{}, `dataset: d/a.jsonl: no field of the image (image, file_name, filepath, filename, path, img, image_name, image_path, file, id) in any line; the first has "b", "url"`},
		{"table in a folder", files(member{"sub/metadata.csv", "x\n"}), "d", Options{}, `dataset: d/sub/metadata.csv: no column`},
		{"empty tar", files(member{"a.tar", ""}), "d/a.tar", Options{}, "dataset: d/a.tar: the set is empty: no image was found"},
		{"not a tar", files(member{"a.tar", strings.Repeat("hello", 300)}), "d/a.tar", Options{}, "dataset: d/a.tar: none of 1 samples can be used; the first (no key): the archive is damaged after 0 files: archive/tar: invalid tar header"},
		{"not gzip", files(member{"a.tar.gz", "\x1f\x8bxx"}), "d/a.tar.gz", Options{}, "dataset: d/a.tar.gz: none of 1 samples can be used; the first: the archive is damaged: unexpected EOF"},
		{"tar of text", files(member{"a.tar", string(tarOf(t, []member{{"a.md", "x"}}))}), "d/a.tar", Options{}, "dataset: d/a.tar: the set is empty: no image was found"},
		{"stream of text", files(member{"a.tar", string(tarOf(t, []member{{"a.md", "x"}}))}), "d/a.tar", Options{Stream: true}, "dataset: d/a.tar: the set is empty: no image was found"},
		{"tables in streams", files(member{"a.tar", string(tarOf(t, []member{{"a.csv", "image,caption\nx,y\n"}}))}, member{"b.tar", ""}), "d/{a,b}.tar", Options{Stream: true}, "dataset: d/a.tar: a.csv names 0 of 0 images in a stream of several tars: only a single one may hold a table"},
		{"braces of tables", files(member{"a.csv", ""}, member{"b.csv", ""}), "d/{a,b}.csv", Options{}, "dataset: d/a.csv: only tars can be opened together"},
		{"too many names", files(), "{000000000..999999999}.tar", Options{}, "dataset: {000000000..999999999}.tar: expands to more than 1048576 names"},
		{"template", files(), "d", Options{Templates: []string{"a photo"}}, `dataset: options: template "a photo" has no {}`},
		{"separator", files(), "d", Options{Separator: '→'}, `dataset: options: Separator '→', want another ASCII character`},
		{"negative", files(), "d", Options{MaxPixels: -1}, "dataset: options: a limit is negative: Buffer 0, BufferBytes 0, MaxPixels -1, MaxBytes 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := OpenFS(c.fsys, c.path, &c.o)
			if err == nil {
				set.Close()
				t.Fatalf("no error, want %s", c.want)
			}
			if got := err.Error(); got != c.want && !(len(c.want) < len(got) && strings.Contains(got, c.want)) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestOpenBadRowsAreNamed(t *testing.T) {
	table := "\ufeffimage;caption;label\r\n" +
		"1.png;fine;\r\n" +
		"2.png;one; two;\r\n" + // a separator too many
		"\r\n" +
		"3.png; ;\r\n" +
		"4.png;caf\xe9;\r\n" +
		"5.png;\"never closed;\r\n" +
		"6.png;\"on two\r\nlines, with \"\"quotes\"\"\";owl\r\n" +
		";no image;\r\n" +
		"7.png;5\" pipe;12\r\n" +
		"gone.png;missing;\r\n" +
		"1.png;again;\r\n" +
		"sub;a folder;\r\n" +
		strings.Repeat("x", maxLine+1) + "\r\n" +
		"9.png;\"never closed;\r\n" +
		"8.png;last;9"
	members := []member{{"t.csv", table}, {"sub/x.txt", ""}}
	for _, n := range []int{1, 6, 7, 8} {
		members = append(members, member{string(rune('0'+n)) + ".png", pngOf(n)})
	}
	classes := make([]string, 10)
	classes[9] = "nine"
	set, err := OpenFS(folderFS("d", members), "d/t.csv", &Options{Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	got := contents(t, set, Order{})
	for i, line := range got {
		if head, _, ok := strings.Cut(line, " (16,12)"); ok {
			got[i] = head
		}
	}
	want := []string{
		`1.png: ["fine" "again"] ""`,
		`: t.csv, line 3: fields: 4, columns in the header: 3 (a field with a ';' needs quotes)`,
		`3.png: no caption and no label`,
		`4.png: t.csv, line 6: not valid UTF-8: "caf\xe9"`,
		`: t.csv, line 7: a quoted field goes on after its closing quote`,
		`6.png: ["on two\nlines, with \"quotes\""] "owl"`,
		`: t.csv, line 10: no image is named`,
		`7.png: t.csv, line 11: label 12 is not within 0 … 9`,
		`gone.png: open d/gone.png: file does not exist`,
		`sub: not a regular file but d---------`,
		`: t.csv, line 15: longer than 1048576 bytes`,
		`: t.csv, line 16: a quote is never closed`,
		`8.png: ["last"] "nine"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOpenJSONLines(t *testing.T) {
	table := `{"path": "1.png", "caption": ["one", "first"], "label": 3}
{"path": "1.png", "caption": "uno", "label": 3}
{"path": "2.png", "caption": null, "class": "two"}

{"path": "3.png", "caption": {"en": "three"}}
{"path": "3.png", "caption": "caf` + "\xe9" + `"}
{"path": 3, "caption": [1, 2]}
{"path": "3.png", "label": ["a", "b"]}
["3.png"]
{"path": "4.png", "caption": "four"`
	members := []member{{"t.jsonl", table}, {"1.png", pngOf(1)}, {"2.png", pngOf(2)}}
	set, err := OpenFS(folderFS("d", members), "d/t.jsonl", &Options{Templates: []string{"{}", "my {}"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`1.png: ["one" "first" "uno"] "3"`,
		`2.png: ["two" "my two"] "two"`,
		`3.png: t.jsonl, line 5: field "caption" is {"en": "three"}, want a string`,
		`: t.jsonl, line 6: not valid UTF-8`,
		`3: t.jsonl, line 7: field "caption" is [1, 2], want a string`,
		`3.png: t.jsonl, line 8: 2 labels for one image`,
		`: t.jsonl, line 9: not a JSON object`,
		`: t.jsonl, line 10: not a JSON object`,
	}
	got := contents(t, set, Order{})
	if len(got) != len(want) {
		t.Fatalf("%d samples, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
	if got, want := set.Classes(), []string{"3", "two"}; !slices.Equal(got, want) {
		t.Errorf("classes %q, want %q", got, want)
	}
}

func TestOpenOutside(t *testing.T) {
	dir := writeFiles(t, map[string][]byte{"set/t.csv": nil, "other/1.png": []byte(pngOf(1))})
	outside := filepath.Join(dir, "other", "1.png")
	table := filepath.Join(dir, "set", "t.csv")
	for _, name := range []string{outside, "../other/1.png"} {
		if err := os.WriteFile(table, []byte("filepath\ttitle\n"+name+"\thello, world\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(table, nil); err == nil || !strings.Contains(err.Error(), "leads out of the table's folder, and AllowOutside is not set") {
			t.Errorf("%s was opened: %v", name, err)
		}
		set, err := Open(table, &Options{AllowOutside: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, set, Order{}); len(got) != 1 || !strings.Contains(got[0], `["hello, world"]`) {
			t.Errorf("%s with AllowOutside: %q", name, got)
		}
	}
}

func TestOpenFolderOfTars(t *testing.T) {
	files := shards(t, 60, 20)
	plain := map[string][]byte{"c/a.tar": tarOf(t, []member{{"owl/1.png", pngOf(1)}}), "c/b.tar": tarOf(t, []member{{"fox/2.png", pngOf(2)}})}
	for name, data := range files {
		plain["g/"+name] = data
	}
	for dir, n := range map[string]int{"c": 2, "g": 60} {
		set, err := OpenFS(mapFS(plain), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := contents(t, set, Order{}); len(got) != n {
			t.Errorf("%s: %d samples, want %d", dir, len(got), n)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestExpandBraces(t *testing.T) {
	for pattern, want := range map[string]string{
		"a.tar":           "a.tar",
		"{008..011}.tar":  "008.tar 009.tar 010.tar 011.tar",
		"{8..10}":         "8 9 10",
		"{2..0}":          "2 1 0",
		"x{a,b{1..2},}":   "xa xb1 xb2 x",
		"{a,b}-{0..1}":    "a-0 a-1 b-0 b-1",
		"{a}":             "{a}",
		"{a..b}":          "{a..b}",
		"{1..}{x,y":       "{1..}{x,y",
		"}{,}{":           "}{ }{",
		"{{a,b}}":         "{a} {b}",
		"{0..99999999999": "{0..99999999999",
	} {
		names, err := expandBraces(pattern)
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", pattern, got, err, want)
		}
	}
}
