package photos_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// FuzzJournal: whatever a journal holds, a library opens with whole entries or says what is
// wrong, and the index file stays as it is.
func FuzzJournal(f *testing.F) {
	m, dir := model(f, 5), album(f, 4)
	path := filepath.Join(f.TempDir(), "photos.index")
	update(f, m, path, dir, photos.UpdateOptions{})
	whole := content(f, path)
	f.Add(content(f, photos.JournalPath(path)))
	f.Add([]byte("goclip photos journal 1\n"))
	f.Add([]byte("goclip ph"))
	f.Add(photos.Changes(path, dir, 10))
	f.Fuzz(func(t *testing.T, journal []byte) {
		check(t, os.WriteFile(photos.JournalPath(path), journal, 0o666))
		x, err := photos.Open(path, m)
		if err == nil {
			for range x.Entries() {
			}
			check(t, x.Close())
		}
		if got := content(t, path); string(got) != string(whole) {
			t.Error("the index changed")
		}
	})
}

// TestJournal: changes of the state that the index is in are made, others are not.
func TestJournal(t *testing.T) {
	m, dir := model(t, 5), album(t, 4)
	path := filepath.Join(t.TempDir(), "photos.index")
	update(t, m, path, dir, photos.UpdateOptions{})
	check(t, os.WriteFile(photos.JournalPath(path), photos.Changes(path, dir, 10), 0o666))
	x, err := photos.Open(path, m)
	check(t, err)
	if _, ok := x.Get("added"); !ok || x.Len() != 4 {
		t.Errorf("%d entries, want one more and one less", x.Len())
	}
	check(t, x.Close())
	// Written by others, the index is in another state.
	plain, err := index.Read(path, m)
	check(t, err)
	plain.Delete("1/001.jpg")
	check(t, plain.Save(path))
	if x, err = photos.Open(path, m); err != nil || x.Len() != 3 {
		t.Errorf("%d entries, %v, want the 3 that the index has", x.Len(), err)
	}
	check(t, x.Close())
	check(t, os.WriteFile(photos.JournalPath(path), []byte("something else altogether"), 0o666))
	_, err = photos.Open(path, m)
	fails(t, "a file of another kind or version", err)
}

// FuzzThumbs: whatever a file of thumbnails holds, what is in it is found or is not.
func FuzzThumbs(f *testing.F) {
	m, dir := model(f, 5), album(f, 2)
	path := filepath.Join(f.TempDir(), "photos.index")
	update(f, m, path, dir, photos.UpdateOptions{})
	x, err := photos.Open(path, m)
	check(f, err)
	var shas []string
	for e := range x.Entries() {
		p, _ := photos.Parse(e.Meta)
		shas = append(shas, p.SHA256)
	}
	check(f, x.Close())
	good := content(f, photos.ThumbsPath(path))
	f.Add(good)
	f.Add(good[:len(good)-9])
	f.Add([]byte("goclip thumbnails 1\n\x20\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, os.WriteFile(photos.ThumbsPath(path), data, 0o666))
		thumbs, err := photos.OpenThumbs(path)
		if err != nil {
			return
		}
		for _, sha := range append(shas, "", "zz") {
			_, _ = thumbs.Get(sha)
		}
		check(t, thumbs.Close())
	})
}
