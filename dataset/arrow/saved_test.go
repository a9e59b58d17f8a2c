package arrow_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/arrow"
)

// open opens a set, and says what it holds.
func open(t *testing.T, name string) (said []string, set *dataset.Set) {
	t.Helper()
	set, err := dataset.Open(name, &dataset.Options{Formats: []dataset.Format{arrow.Format{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	x, _ := set.Indexed()
	for i := range x.Len() {
		s := x.At(i)
		width := 0
		if p, err := s.Picture(); err == nil {
			width = p.Image.Bounds().Dx()
		}
		said = append(said, fmt.Sprintf("%s %q %q %d", s.Key, s.Captions, s.Label, width))
	}
	return said, set
}

// TestSaved reads what save_to_disk of datasets wrote: _gen/saved.py.
func TestSaved(t *testing.T) {
	want := []string{
		`data-00000-of-00002/0-0.png [] "red fox" 2`, `data-00000-of-00002/1-1.png ["caption 1 é"] "owl" 3`, `data-00000-of-00002/2-2.png ["caption 2 é"] "red fox" 4`,
		`data-00001-of-00002/0-3.png [] "owl" 5`, `data-00001-of-00002/1-4.png ["caption 4 é"] "" 6`,
	}
	if got, set := open(t, "testdata/saved"); !slices.Equal(got, want) || set.Seen().Shape != dataset.Containers {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	// What a program has computed of the set, and not saved, lies beside it.
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/saved")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "data-00000-of-00002.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cache-0123456789abcdef.arrow", "old.arrow"} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got, set := open(t, dir); !slices.Equal(got, want) || !slices.Contains(set.Seen().Alone, "old.arrow") {
		t.Errorf("with others beside: %v, %s", set.Seen(), strings.Join(got, "\n"))
	}
	if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
		t.Fatal(err)
	}
	if got, _ := open(t, dir); len(got) != 8 {
		t.Errorf("without a list of the files there are %d images, want 8: those of all but the cache", len(got))
	}
}

// TestWide reads long columns, numbers of any width, and nothing where nothing is.
func TestWide(t *testing.T) {
	want := []string{`wide/0 ["t0"] "200" 2`, `wide/1 [] "" 3`, `wide/2 ["t2"] "202" 4`, `wide/3 [] "" 0`}
	if got, _ := open(t, "testdata/wide.arrow"); !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	data, err := os.ReadFile("testdata/wide.arrow")
	if err != nil {
		t.Fatal(err)
	}
	table, err := arrow.Format{}.OpenTable(strings.NewReader(string(data)), int64(len(data)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = table.Cells([]string{"many", "small", "float", "yes", "nothing"}, func(_ int, cells [][]string) error {
		got = append(got, fmt.Sprint(cells))
		return nil
	})
	if want := "[[x y] [-1] [0.5] [1] []] [[] [0] [0] [0] []] [[x y] [-1] [0.5] [1] []] [[] [2] [2] [0] []]"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("got  %s, error %v\nwant %s", strings.Join(got, " "), err, want)
	}
}

// TestPathsOfRows: of several columns of images the one of a known name is read, and a
// file beside where a row has only its path.
func TestPathsOfRows(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile("testdata/paths.arrow")
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	err = errors.Join(png.Encode(&file, image.NewGray(image.Rect(0, 0, 7, 5))), os.Mkdir(filepath.Join(dir, "im"), 0o777),
		os.WriteFile(filepath.Join(dir, "im", "1.png"), file.Bytes(), 0o666), os.WriteFile(filepath.Join(dir, "paths.arrow"), data, 0o666))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`paths/0-1.png ["a"] "" 7`, `paths/1-x.png ["b"] "" 3`, `paths/2-2.png ["c"] "" 0`}
	got, set := open(t, dir)
	if !slices.Equal(got, want) || !strings.Contains(set.Seen().String(), `of the columns of images "mask", "image", image is read`) {
		t.Errorf("%v: got %s, want %s", set.Seen(), got, want)
	}
	x, _ := set.Indexed()
	if _, err := x.At(2).Picture(); err == nil || !strings.Contains(err.Error(), "its file is not here: im/2.png") {
		t.Errorf("a row without an image: %v", err)
	}
}
