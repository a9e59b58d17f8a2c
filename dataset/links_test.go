//go:build !windows

package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestLinks: those that leave the set are followed when that is asked for, and what
// is in the set already is there once. Circles end.
func TestLinks(t *testing.T) {
	dir := writeFiles(t, map[string][]byte{
		"set/owl/1.png": []byte(pngOf(1)), "set/owl/2.png": []byte(pngOf(2)), "set/fox/3.png": []byte(pngOf(3)), "bears/4.png": []byte(pngOf(4)),
	})
	set := filepath.Join(dir, "set")
	for link, to := range map[string]string{
		"set/bear": "bears", "set/again": "set/owl", "set/owl/loop": "set", "set/owl/0.png": "set/owl/1.png", "set/fox/out.png": "bears/4.png", "set/out": ".",
	} {
		if err := os.Symlink(filepath.Join(dir, to), filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for outside, want := range map[bool][]string{
		false: {"fox/3.png", "owl/1.png", "owl/2.png"},
		true:  {"bear/4.png", "fox/3.png", "owl/1.png", "owl/2.png"},
	} {
		s, x := mustOpen(t, set, &Options{AllowOutside: outside})
		var got []string
		for i := range x.Len() {
			got = append(got, x.At(i).Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("outside %v: got %q, want %q", outside, got, want)
		}
		if n := s.Seen().LeftOut["links out of the set"]; (n == 3) != !outside {
			t.Errorf("outside %v: %v", outside, s.Seen())
		}
	}
}

// TestOneImageManyPaths: rows that spell an image's path in several ways are of one
// image.
func TestOneImageManyPaths(t *testing.T) {
	dir := writeFiles(t, map[string][]byte{"Images/1.png": []byte(pngOf(1)), "Images/caf\u00e9.png": []byte(pngOf(2)), "Images/sub/3.png": []byte(pngOf(3))})
	if err := os.Symlink("Images", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("1.png", filepath.Join(dir, "Images", "one.png")); err != nil {
		t.Fatal(err)
	}
	table := "image,caption\nImages/1.png,a\n./Images/1.png,b\nImages//1.png,c\nImages/sub/../1.png,d\nlink/1.png,e\nImages/one.png,f\n" +
		filepath.Join(dir, "Images", "1.png") + ",g\nImages/caf\u00e9.png,h\nImages/cafe\u0301.png,i\n"
	if err := os.WriteFile(filepath.Join(dir, "t.csv"), []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, filepath.Join(dir, "t.csv")} {
		_, x := mustOpen(t, name, nil)
		if x.Len() != 2 {
			for i := range x.Len() {
				t.Log(x.At(i).Key, x.At(i).Captions)
			}
			t.Fatalf("%s: %d samples, want 2", name, x.Len())
		}
		if got := x.At(0); len(got.Captions) != 7 || got.Key != "Images/1.png" {
			t.Errorf("%s: %s has %q, want 7 captions", name, got.Key, got.Captions)
		}
		if got := x.At(1); len(got.Captions) != 2 {
			t.Errorf("%s: %s has %q, want 2 captions", name, got.Key, got.Captions)
		}
		decodeSome(t, x, 1)
	}
}
