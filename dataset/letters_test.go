package dataset

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

// anyCase is a file system that takes capitals and small letters for the same.
type anyCase struct{ fstest.MapFS }

func (a anyCase) named(name string) string {
	at := "."
	for part := range strings.SplitSeq(name, "/") {
		entries, _ := a.MapFS.ReadDir(at)
		for _, e := range entries {
			if strings.EqualFold(e.Name(), part) {
				part = e.Name()
			}
		}
		at = path.Join(at, part)
	}
	return at
}

func (a anyCase) Open(name string) (fs.File, error)          { return a.MapFS.Open(a.named(name)) }
func (a anyCase) Stat(name string) (fs.FileInfo, error)      { return a.MapFS.Stat(a.named(name)) }
func (a anyCase) ReadDir(name string) ([]fs.DirEntry, error) { return a.MapFS.ReadDir(a.named(name)) }

// TestLettersOfPaths: capitals and small letters in a path are the same where the file
// system says so, and where it does not two files are two.
func TestLettersOfPaths(t *testing.T) {
	table := "image,caption\nImages/a.png,one\nimages/A.PNG,two\nIMAGES/a.png,three\nb.png,four\nB.png,five\n"
	files := folderFS("d", []member{{"Images/a.png", pngOf(1)}, {"b.png", pngOf(2)}, {"sub/B.png", pngOf(3)}, {"t.csv", table}})
	for _, name := range []string{"d", "d/t.csv"} {
		set, err := OpenFS(anyCase{files}, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := set.Indexed()
		var got []string
		for i := range x.Len() {
			s := x.At(i)
			if _, err := s.Picture(); err != nil {
				t.Errorf("%s: %s: %v", name, s.Key, err)
			}
			got = append(got, fmt.Sprintf("%s %q", s.Key, s.Captions))
		}
		if want := `Images/a.png ["one" "two" "three"], b.png ["four" "five"]`; strings.Join(got, ", ") != want {
			t.Errorf("%s: got  %s\nwant %s", name, strings.Join(got, ", "), want)
		}
	}
	files["d/images/A.PNG"], files["d/B.png"] = files["d/sub/B.png"], files["d/sub/B.png"]
	files["d/IMAGES/a.png"] = files["d/b.png"]
	for _, name := range []string{"d", "d/t.csv"} {
		set, err := OpenFS(files, name, nil)
		if err != nil || set.Seen().Captioned != 5 {
			t.Errorf("%s: %v, error %v, want five images of a caption each", name, set.Seen(), err)
		}
	}
}
