package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/vision"
)

// explains: each image's map is written, over an image of its size; again over the same
// maps, and never among other files.
func explains(t *testing.T, model, picture string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "maps")
	classify := []string{"classify", "--model", model, "--labels", "red,green,blue,grey", "--explain", dir, picture, picture}
	want, err := vision.DecodeFile(picture, nil)
	check(t, err)
	for _, by := range []string{"gradients", "patches"} {
		var said []classified
		works(t, &said, append(classify, "--explain-by", by)...)
		for i, name := range []string{"1-1.explain.png", "2-1.explain.png"} {
			if len(said) != 2 || said[i].Map != filepath.Join(dir, name) {
				t.Fatalf("classify says %+v, want a map %s", said, name)
			}
			got, err := vision.DecodeFile(said[i].Map, nil)
			check(t, err)
			if got.Bounds().Size() != want.Bounds().Size() {
				t.Errorf("a map of %v over an image of %v", got.Bounds(), want.Bounds())
			}
		}
	}
	check(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o666))
	for want, args := range map[string][]string{
		"is not a folder of maps alone": classify,
		"guess":                         append(classify, "--explain-by", "guess"),
	} {
		if _, errs, code := goclip(t, args...); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%v ends with %d and says %q, want %q", args, code, errs, want)
		}
	}
}

func TestMapNames(t *testing.T) {
	for file, want := range map[string]string{
		"-": "2-stdin.explain.png", "a/b.c.jpg": "2-b.c.explain.png", "x\xff.png": "2-x_.explain.png",
	} {
		if got := mapName(2, file); got != want {
			t.Errorf("map of %q: %q, want %q", file, got, want)
		}
	}
	if n := len(mapName(2, string(make([]byte, 300)))); n > 255 {
		t.Errorf("a name of %d bytes", n)
	}
}
