package dataset

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestEncodings: captions, labels and tables of any program are read alike, in folders,
// tars and streams.
func TestEncodings(t *testing.T) {
	wide := func(text string, order binary.AppendByteOrder) string {
		var b []byte
		for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	codings := map[string]func(string) string{
		"UTF-8":       func(s string) string { return s },
		"a mark":      func(s string) string { return "\ufeff" + s },
		"UTF-16":      func(s string) string { return wide(s, binary.LittleEndian) },
		"UTF-16, big": func(s string) string { return wide(s, binary.BigEndian) },
		"old Mac":     func(s string) string { return strings.ReplaceAll(s, "\n", "\r") },
		"Windows":     func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
	}
	sets := map[string][]member{
		"texts":         {{"1.txt", "é one\nand\n"}, {"2.txt", "two\n"}},
		"JSON":          {{"1.json", "{\"caption\":\n[\"é one\", \"and\"]}"}, {"2.json", `{"caption": "two"}`}},
		"a table":       {{"t.csv", "image,caption\n1.png,é one\n1.png,and\n2.png,two\n"}},
		"captions.txt":  {{"captions.txt", "image,caption\n1.png,é one\n1.png,and\n2.png,two\n"}},
		"tokens":        {{"a.token", "1.png#0\té one\n1.png#1\tand\n2.png#0\ttwo\n"}},
		"lines of JSON": {{"t.jsonl", "{\"image\":\"1.png\",\"caption\":[\"é one\",\"and\"]}\n{\"image\":\"2.png\",\"caption\":\"two\"}\n"}},
		"a JSON table":  {{"t.json", "{\"1.png\": [\"é one\",\"and\"],\n\"2.png\": \"two\"}"}},
		"class names":   {{"1.cls", "0\n"}, {"2.cls", "1\n"}, {"classnames.txt", "é one\ntwo\n"}},
	}
	for kind, texts := range sets {
		want := `["é one" "and"] ["two"]`
		if kind == "class names" {
			want = `["a photo of a é one"] ["a photo of a two"]`
		}
		for coding, code := range codings {
			var files []member
			for _, f := range texts {
				files = append(files, member{f.name, code(f.content)})
			}
			if kind == "tokens" || kind == "captions.txt" { // in a stream only tables are at hand
				files[0].name = "d/" + files[0].name
			}
			if len(files) == 1 {
				files = append(files, member{"1.png", pngOf(1)}, member{"2.png", pngOf(2)})
			} else {
				files = append(files[2:], files[0], member{"1.png", pngOf(1)}, files[1], member{"2.png", pngOf(2)})
			}
			fsys := folderFS("d", files)
			fsys["t.tar"] = mapFS(map[string][]byte{"x": tarOf(t, files)})["x"]
			for _, name := range []string{"d", "t.tar", "stream"} {
				o := Options{Stream: name == "stream"}
				if o.Stream {
					name = "t.tar"
				}
				if o.Stream && strings.HasPrefix(files[0].name, "d/") {
					continue
				}
				set, err := OpenFS(fsys, name, &o)
				if err != nil {
					t.Errorf("%s, %s, %s: %v", kind, coding, name, err)
					continue
				}
				var got []string
				for s, err := range set.Samples(t.Context(), Order{}) {
					if err != nil || s.Fault != nil {
						t.Errorf("%s, %s, %s: %v, %v", kind, coding, name, err, s.Fault)
					}
					got = append(got, fmt.Sprintf("%q", s.Words()))
				}
				if text := strings.Join(got, " "); text != want {
					t.Errorf("%s, %s, %s, stream %v: got %s, want %s", kind, coding, name, o.Stream, text, want)
				}
			}
		}
	}
}
