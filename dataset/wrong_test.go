package dataset_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
)

func TestReadWrong(t *testing.T) {
	got, err := dataset.ReadWrong(strings.NewReader(`{"caption": "a", "wrong": ["b", "c"]}

{"caption": "d", "wrong": ["e"]}
{"caption": "a", "wrong": ["f"]}`))
	if want := (map[string][]string{"a": {"b", "c", "f"}, "d": {"e"}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
	for text, want := range map[string]string{
		"":                                    "there are none",
		`{"caption": "a", "wrong": ["b"]`:     "line 1: unexpected EOF",
		"\n{}":                                `line 2: want "caption" and "wrong"`,
		`{"caption": "a"}`:                    `line 1: want "caption" and "wrong"`,
		`{"caption": "a", "wrong": ["a"]}`:    `line 1: the wrong caption "a"`,
		`{"caption": "a", "wrong": [""]}`:     `line 1: the wrong caption ""`,
		`{"caption": "a", "wrongs": ["b"]}`:   `unknown field "wrongs"`,
		`{"caption": "a", "wrong": ["b"]} {}`: "line 1: more behind the object",
		strings.Repeat("x", 2<<20):            "line 1: bufio.Scanner: token too long",
	} {
		if _, err := dataset.ReadWrong(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got error %v, want %s", text, err, want)
		}
	}
}

func FuzzReadWrong(f *testing.F) {
	f.Add(`{"caption": "a", "wrong": ["b", "c"]}`)
	f.Add("{}\nnull\n[1")
	f.Fuzz(func(t *testing.T, text string) {
		wrong, err := dataset.ReadWrong(strings.NewReader(text))
		if err == nil && len(wrong) == 0 {
			t.Error("neither an error nor a caption")
		}
		for caption, of := range wrong {
			if caption == "" || len(of) == 0 {
				t.Errorf("%q has %d wrong captions", caption, len(of))
			}
		}
	})
}
