package dataset

import (
	"fmt"
	"strings"
	"testing"
)

// TestTarsOfOthers: a tar says the same by its index and as a stream, also of what is
// beside it, and nothing that was read counts as left alone.
func TestTarsOfOthers(t *testing.T) {
	one := pngOf(1)
	for _, c := range []struct {
		name    string
		members []member
		want    string
		notes   int // by its index
	}{
		{"dots in names", []member{{"a.b.1.png", one}, {"a.b.1.txt", "x"}, {"a.b.2.png", one}, {"a.b.2.txt", "y"}}, `a.b.1 ["x"] ""; a.b.2 ["y"] ""`, 0},
		{"classes that are named beside", []member{{"1.cls", "1"}, {"1.png", one}, {"2.cls", "0"}, {"2.png", one}}, `1 [] "owl"; 2 [] "red fox"`, 0},
		{"masks", []member{{"1.png", one}, {"1.seg.png", one}, {"1.txt", "x"}}, `1 ["x"] ""`, 1},
		{"a list of names within", []member{{"1.cls", "1"}, {"1.png", one}, {"classnames.txt", "tench\neel"}}, `1 [] "eel"`, 0},
	} {
		fsys := mapFS(map[string][]byte{"set/test/0.tar": tarOf(t, c.members), "set/classnames.txt": []byte("red fox\nowl\n")})
		for _, o := range []Options{{}, {Stream: true}} {
			for _, name := range []string{"set/test/0.tar", "set/test/{0..0}.tar"} {
				set, err := OpenFS(fsys, name, &o)
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
					continue
				}
				var got []string
				for s, err := range set.Samples(t.Context(), Order{}) {
					if err != nil || s.Fault != nil {
						t.Errorf("%s: %v, %v", c.name, err, s.Fault)
					}
					got = append(got, fmt.Sprintf("%s %q %q", s.Key, s.Captions, s.Label))
				}
				if strings.Join(got, "; ") != c.want || set.Seen().AloneCount != 0 || len(set.Notes()) != c.notes && !o.Stream {
					t.Errorf("%s, stream %v: %s (%v), notes %v; want %s", c.name, o.Stream, strings.Join(got, "; "), set.Seen(), set.Notes(), c.want)
				}
			}
		}
	}
}
