package index_test

import (
	"path/filepath"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/golden"
)

// TestUpright: an index says whether its images were turned upright, keeps saying so when
// it is saved again, and is for models that prepare images in the same way; the one that
// the first version wrote is of images as they are stored.
func TestUpright(t *testing.T) {
	dir := golden.Shared(t, "compat")
	load := func(upright bool) *encoder.Model {
		m, err := encoder.Load(filepath.Join(dir, "model"), &encoder.Options{Upright: &upright})
		check(t, err)
		t.Cleanup(func() { check(t, m.Close()) })
		if got := m.Config().Preprocess.Upright; got != upright {
			t.Fatalf("Upright is %t, want %t", got, upright)
		}
		return m
	}
	stored, upright := load(false), load(true)
	if stored.Fingerprint() == upright.Fingerprint() {
		t.Error("a model's fingerprint does not say whether images are turned")
	}
	old, err := index.Open(filepath.Join(dir, "pics.index"), stored)
	check(t, err)
	if old.Upright() {
		t.Error("the first version's index says that its images were turned")
	}
	check(t, old.Close())
	_, err = index.Open(filepath.Join(dir, "pics.index"), upright)
	fails(t, "the index is of images with upright false", err)

	path := filepath.Join(t.TempDir(), "upright.index")
	check(t, index.Of(upright).Save(path))
	for range 2 { // as it was made, and as it is when it was saved again
		x, err := index.Open(path, upright)
		check(t, err)
		if !x.Upright() {
			t.Error("the index does not say that its images were turned")
		}
		check(t, x.Save(path+".again"))
		check(t, x.Close())
		path += ".again"
	}
	_, err = index.Open(path, stored)
	fails(t, "the index is of images with upright true", err)
}
