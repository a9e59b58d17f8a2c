package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTableHabits: tables as the common programs write them are read without a
// word, and with the columns that one names.
func TestTableHabits(t *testing.T) {
	images := []member{{"images/a.png", pngOf(1)}, {"images/b.png", pngOf(2)}}
	for _, c := range []struct {
		name, file, table string
		o                 Options
		want              []string // key, captions and label of each sample
	}{
		{
			"open_clip's defaults: tabs, filepath and title", "set.csv", "id\tfilepath\ttitle\n1\timages/a.png\tone, two\n2\timages/b.png\tthree\n", Options{},
			[]string{`images/a.png ["one, two"] ""`, `images/b.png ["three"] ""`},
		},
		{
			"--csv-img-key, --csv-caption-key and --csv-separator", "set.csv", "loc;alt;caption\nimages/a.png;one;no\nimages/b.png;two;no\n",
			Options{ImageKey: "loc", CaptionKey: "alt", Separator: ';'},
			[]string{`images/a.png ["one"] ""`, `images/b.png ["two"] ""`},
		},
		{
			"a TSV with Windows' ends of lines and a byte order mark", "set.tsv", "\ufeffimage\tcaption\r\nimages/a.png\tone\r\nimages/b.png\ttwo\r\n", Options{},
			[]string{`images/a.png ["one"] ""`, `images/b.png ["two"] ""`},
		},
		{
			"Hugging Face's metadata.csv", "images/metadata.csv", "file_name,text,label\na.png,one,cat\nb.png,two,dog\n", Options{},
			[]string{`images/a.png ["one"] "cat"`, `images/b.png ["two"] "dog"`},
		},
		{
			"Hugging Face's metadata.jsonl", "images/metadata.jsonl", `{"file_name": "a.png", "text": "one"}` + "\n" + `{"file_name": "b.png", "text": "two"}` + "\n", Options{},
			[]string{`images/a.png ["one"] ""`, `images/b.png ["two"] ""`},
		},
		{
			"JSON lines with numbers for labels, by their names", "set.ndjson", `{"image": "images/a.png", "class": 1}` + "\n" + `{"image": "images/b.png", "class": 0}` + "\n",
			Options{Classes: []string{"red_fox", "owl"}, Templates: []string{"a {}", "the {}"}},
			[]string{`images/a.png ["a owl" "the owl"] "owl"`, `images/b.png ["a red fox" "the red fox"] "red_fox"`},
		},
		{
			"Flickr8k's rows, several for an image", "captions.csv", "image,caption\nimages/a.png,one\nimages/b.png,two\nimages/a.png,\"three, \"\"four\"\"\"\n", Options{},
			[]string{`images/a.png ["one" "three, \"four\""] ""`, `images/b.png ["two"] ""`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			open := "d"
			if !strings.Contains(c.file, "metadata") {
				open = "d/" + c.file
			}
			set, err := OpenFS(folderFS("d", append(slices.Clip(images), member{c.file, c.table})), open, &c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			x, _ := set.Indexed()
			var got []string
			for i := range x.Len() {
				s := x.At(i)
				if _, err := s.Pair(0); err != nil {
					t.Errorf("%s: %v", s.Key, err)
				}
				got = append(got, fmt.Sprintf("%s %q %q", s.Key, s.Words(), s.Label))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestOneSplitCostsNoOther: where the metadata.csv of one of several splits says nothing of
// its images, those of the others count, and it is told. Alone it is an error.
func TestOneSplitCostsNoOther(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(data), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		write(fmt.Sprintf("train/%d.png", i), pngOf(i))
		write(fmt.Sprintf("test/%d.png", i), pngOf(i+3))
	}
	write("test/metadata.csv", "file_name,width\n0.png,4\n1.png,4\n2.png,4\n")
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "metadata.csv") {
		t.Errorf("alone: got error %v, want one of metadata.csv", err)
	}
	write("train/metadata.csv", "file_name,text\n0.png,a red one\n1.png,a blue one\n2.png,a green one\n")
	set, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if seen := set.Seen(); seen.Captioned != 3 || !strings.Contains(fmt.Sprint(seen), "test/metadata.csv") {
		t.Errorf("%v: %d captions, want 3, and a word of test/metadata.csv", seen, seen.Captioned)
	}
}
