package dataset

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/lists"
)

// FuzzCSV: what encoding/csv reads without an error, this package reads alike;
// of the rest, lines come in order and no other error than a row's turns up.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"a,b\n1,2\n", "a,\"b\n\nc\",d\r\n\r\ne", "\"\"\"\",\"\"\n", "x\"y,z", "\"open\nnext,row\n", "\"a\"b,c\nd", "\r", "a\rb,c\r\n", ",,\n,",
		"\"" + strings.Repeat("\n\"", 250),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if string(lists.Plain([]byte(text))) != text || len(text) > maxRowBytes {
			return // UTF-16, and other ends of lines
		}
		var got [][]string
		faults, last := 0, 0
		lines := newLineReader(strings.NewReader(text))
		for {
			fields, at, err := lines.csvRow(',')
			if err == io.EOF {
				break
			}
			if at <= last {
				t.Fatalf("line %d comes after line %d", at, last)
			}
			last = at
			if err != nil {
				if !slices.Contains([]error{errLongLine, errOpenQuote, errStrayQuote}, err) {
					t.Fatal(err)
				}
				faults++
				continue
			}
			got = append(got, fields)
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			return
		}
		long := slices.ContainsFunc(want, func(row []string) bool {
			return strings.Count(strings.Join(row, ""), "\n") >= maxRowLines
		})
		if !long && (faults > 0 || !slices.EqualFunc(got, want, slices.Equal)) {
			t.Errorf("%q gives %q and %d faults, encoding/csv gives %q", text, got, faults, want)
		}
	})
}

// FuzzTable: any bytes as a table give rows, with or without faults, or an error.
func FuzzTable(f *testing.F) {
	f.Add("image,caption\n1.png,one\n1.png,two\n../x,three\n", true)
	f.Add("{\"image\": \"1.png\", \"caption\": [\"a\"]}\n{\"image\": 3, \"label\": 1e400}\n[]\n", false)
	f.Add(strings.Repeat("[", 20000), false)
	f.Fuzz(func(t *testing.T, text string, isCSV bool) {
		o, err := new(Options).ready()
		if err != nil {
			t.Fatal(err)
		}
		name := "t.jsonl"
		if isCSV {
			name = "t.csv"
		}
		table, err := (&tree{name: name, fsys: mapFS(nil)}).fromTable(strings.NewReader(text), file{path: name}, o, true)
		if err != nil {
			return
		}
		for _, r := range table.list {
			if r.fault != nil && (len(r.captions) > 0 || r.label != "") {
				t.Fatalf("row %+v", r)
			}
			if strings.Contains(r.file.path, "..") && r.fault == nil && slices.Contains(strings.Split(r.file.path, "/"), "..") {
				t.Fatalf("path %q leads out", r.file.path)
			}
		}
	})
}

// FuzzTar reads damaged archives both by index and as streams.
func FuzzTar(f *testing.F) {
	for _, members := range layouts() {
		data := tarOf(f, members[:5])
		f.Add(data)
		f.Add(gzipOf(f, data))
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, stream := range []bool{false, true} {
			set, err := OpenFS(mapFS(map[string][]byte{"x.tar": data}), "x.tar", &Options{Stream: stream, MaxPixels: 1 << 16, Buffer: 3})
			if err != nil {
				continue
			}
			n := 0
			for s, err := range set.Samples(context.Background(), Order{Shuffle: true}) {
				if err != nil {
					t.Fatal(err)
				}
				if p, err := s.Pair(0); (p.Image == nil) == (err == nil) {
					t.Fatalf("image %v with error %v", p.Image, err)
				}
				n++
			}
			if n == 0 || n != set.Len() {
				t.Errorf("stream %v: %d samples, Len %d", stream, n, set.Len())
			}
			if err := set.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzBraces(f *testing.F) {
	f.Add("{000000..999999}" + strings.Repeat("a", 4000))
	for _, s := range []string{"a{1..3}b", "{a,{b,c}}", "{{{{", "{}{},{}", "{9..0}{9..0}{9..0}", strings.Repeat("{a,b}", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		names, err := expandBraces(pattern)
		if err != nil {
			return
		}
		if len(names) == 0 || len(names) > maxNames {
			t.Fatalf("%q expands to %d names", pattern, len(names))
		}
		if !strings.ContainsAny(pattern, "{") && !slices.Equal(names, []string{pattern}) {
			t.Fatalf("%q became %q", pattern, names)
		}
	})
}

// failing gives its text, and then an error that is not the end.
type failing struct{ r io.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err == io.EOF {
		err = errors.New("the disk is gone")
	}
	return n, err
}

func TestTableReadErrorIsNotARow(t *testing.T) {
	o, _ := new(Options).ready()
	for _, name := range []string{"t.csv", "t.jsonl"} {
		for _, text := range []string{"", "image,caption\n", "image,caption\n1.png,\"o", `{"image": "1.png", "caption": "x"}` + "\n"} {
			if strings.HasPrefix(text, "{") != (name == "t.jsonl") {
				continue
			}
			_, err := (&tree{name: name, fsys: mapFS(nil)}).fromTable(failing{bytes.NewReader([]byte(text))}, file{path: name}, o, true)
			if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
				t.Errorf("%s %q: %v, want the disk's error", name, text, err)
			}
		}
	}
}

// FuzzJSON: any bytes as a JSON file give rows or an error.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`[{"image":"1.png","caption":["a"]},{"x":1}]`, `{"images":[{"id":1,"file_name":"1.png"}],"annotations":[{"image_id":1,"caption":"a"}]}`,
		`{"1.png":"a","2.png":{"x":[]}}`, `{"images":[{"filename":"1.png","sentences":[{"raw":"a"}]}]}`, strings.Repeat("[", 5000), `{"images":{}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, _ := new(Options).ready()
		table, err := (&tree{name: "t.json", fsys: mapFS(nil)}).fromTable(strings.NewReader(text), file{path: "t.json"}, o, true)
		if err == nil && len(table.list) > len(text) {
			t.Fatalf("%d samples of %d bytes", len(table.list), len(text))
		}
	})
}

// FuzzTokens: lines of a token file are rows, in order.
func FuzzTokens(f *testing.F) {
	f.Add("1.png#0\ta\n1.png#1\tb\n\nx\n")
	f.Add("#1\t\n##\t\t")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		s := &sheet{add: func(r row) error {
			if r.line <= last || (r.err == nil) != (r.image != "") {
				t.Fatalf("row %+v after line %d", r, last)
			}
			last = r.line
			return nil
		}}
		if err := s.tokens(strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzClasses: folders in any tree give each image a class of its own path, or none.
func FuzzClasses(f *testing.F) {
	f.Add("cat/a\ndog\ntrain/images\n\nval/images")
	f.Fuzz(func(t *testing.T, text string) {
		dirs := strings.Split(text, "\n")
		labels := classesOf(dirs)
		for i, l := range labels {
			if len(labels) != len(dirs) || l != "" && !slices.Contains(strings.Split(dirs[i], "/"), l) {
				t.Fatalf("%q is the class of %q", l, dirs[i])
			}
		}
	})
}
