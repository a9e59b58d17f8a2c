package photos_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// TestForget: what is forgotten is not found, what was in the journal alone still is, and the
// library goes on as that of its folder.
func TestForget(t *testing.T) {
	m, dir := model(t, 5), filepath.Join(t.TempDir(), "album")
	for i, name := range []string{"a.jpg", "b.jpg", "sub/c.jpg"} {
		put(t, filepath.Join(dir, name), encoded(t, smooth(uint64(i+1), 64, 48), 80))
	}
	path := filepath.Join(t.TempDir(), "photos.index")
	set, err := dataset.Open(dir, &dataset.Options{Shape: dataset.Images})
	check(t, err)
	defer set.Close()
	l, err := photos.OpenLibrary(path, dir, m, photos.LibraryOptions{})
	check(t, err)
	_, err = l.Update(context.Background(), set, photos.UpdateOptions{}) // in the journal
	check(t, err)
	all := func(index.Entry) bool { return true }
	if _, err := photos.Forget(path, all); !errors.Is(err, photos.ErrInUse) {
		t.Errorf("while another writes: %v, want ErrInUse", err)
	}
	index0 := content(t, path)
	journal := content(t, photos.JournalPath(path))
	check(t, l.Close())
	check(t, os.WriteFile(path, index0, 0o600)) // as after a power cut
	check(t, os.WriteFile(photos.JournalPath(path), journal, 0o600))

	keys, err := photos.Forget(path, func(e index.Entry) bool { return strings.HasPrefix(e.Key, "sub/") })
	check(t, err)
	x, err := photos.Open(path, m)
	check(t, err)
	_, there := x.Get("a.jpg")
	_, still := x.Get("sub/c.jpg")
	if !slices.Equal(keys, []string{"sub/c.jpg"}) || x.Len() != 2 || !there || still {
		t.Errorf("forgot %q, %d are left", keys, x.Len())
	}
	check(t, x.Close())
	if folder, err := photos.Folder(path); err != nil || folder != dir {
		t.Errorf("it is of %q, %v, want %q", folder, err, dir)
	}
	if keys, err := photos.Forget(path, func(index.Entry) bool { return false }); err != nil || keys != nil {
		t.Errorf("nothing: %q, %v", keys, err)
	}
	l, err = photos.OpenLibrary(path, dir, m, photos.LibraryOptions{})
	check(t, err)
	r, err := l.Update(context.Background(), set, photos.UpdateOptions{})
	check(t, err)
	if r.Added != 1 || r.Unchanged != 2 {
		t.Errorf("the next update: %+v, want one taken in again", r)
	}
	check(t, l.Close())
	if _, err := photos.Forget(filepath.Join(dir, "a.jpg"), all); err == nil {
		t.Error("a photograph is an index")
	}
}
