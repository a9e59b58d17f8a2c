package output

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFree: what is not there and an empty folder are free, one of the kind is with
// replace, and all else is never.
func TestFree(t *testing.T) {
	dir := t.TempDir()
	own := func(path string) bool {
		text, _ := os.ReadFile(path)
		return strings.HasPrefix(string(text), "own")
	}
	file := Kind{Name: "an index", Is: own}
	folder := Kind{Name: "a model", Folder: true, Is: func(dir string) bool { return own(filepath.Join(dir, "mark")) }}
	mine, theirs, empty := write(t, filepath.Join(dir, "mine"), "own"), write(t, filepath.Join(dir, "theirs"), "x"), write(t, filepath.Join(dir, "empty"), "")
	write(t, filepath.Join(dir, "model", "mark"), "own")
	write(t, filepath.Join(dir, "photos", "a.jpg"), "x")
	write(t, filepath.Join(dir, "hidden", ".DS_Store"), "x")
	for _, c := range []struct {
		path     string
		kind     Kind
		replace  bool
		foreign  bool
		existing bool
	}{
		{filepath.Join(dir, "gone"), file, false, false, false}, {filepath.Join(dir, "gone"), folder, false, false, false},
		{mine, file, true, false, false}, {mine, file, false, false, true}, {theirs, file, true, true, false}, {theirs, file, false, true, false}, {empty, file, true, true, false},
		{filepath.Join(dir, "model"), folder, true, false, false}, {filepath.Join(dir, "model"), folder, false, false, true},
		{filepath.Join(dir, "photos"), folder, true, true, false}, {filepath.Join(dir, "hidden"), folder, false, false, false},
	} {
		err := Free(c.path, c.kind, c.replace)
		if errors.Is(err, ErrForeign) != c.foreign || errors.Is(err, ErrExists) != c.existing || err != nil && !c.foreign && !c.existing {
			t.Errorf("%s, replace %t: %v", c.path, c.replace, err)
		}
	}
	if Free(dir, file, true) == nil || Free(mine, folder, true) == nil {
		t.Error("a folder for a file, or a file for a folder, is free")
	}
}

// TestOutside: a folder's own name, other spellings of it and what is in it are not
// outside; what it lies in, and what begins with its name, is.
func TestOutside(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	write(t, filepath.Join(data, "cat", "a.jpg"), "x")
	table := write(t, filepath.Join(dir, "table.csv"), "x")
	link := filepath.Join(dir, "link")
	links := os.Symlink(data, link) == nil
	t.Chdir(data)
	for _, out := range []string{data, data + "/", filepath.Join(data, "model"), filepath.Join(data, "cat", "x", "y"), ".", "./model", "../data", "cat"} {
		if Outside(out, data) == nil || Outside(out, ".") == nil {
			t.Errorf("%s is outside", out)
		}
	}
	if links && (Outside(filepath.Join(link, "new"), data) == nil || Outside(data, link) == nil) {
		t.Error("a link to it is outside")
	}
	for _, out := range []string{dir, filepath.Join(dir, "model"), data + "2", "../data2/x"} {
		if err := Outside(out, data, table, "", filepath.Join(dir, "gone")); err != nil {
			t.Errorf("%s: %v", out, err)
		}
	}
}
