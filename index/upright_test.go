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

// TestDraft: an index says whether JPEG files were decoded at a part of their size, with
// whether they were turned, keeps saying so when it is saved again, and is for models that
// prepare images in the same way.
func TestDraft(t *testing.T) {
	dir := golden.Shared(t, "compat")
	load := func(upright, draft bool) *encoder.Model {
		m, err := encoder.Load(filepath.Join(dir, "model"), &encoder.Options{Upright: &upright, Draft: draft})
		check(t, err)
		t.Cleanup(func() { check(t, m.Close()) })
		return m
	}
	whole := load(false, false)
	for _, upright := range []bool{false, true} {
		drafts := load(upright, true)
		path := filepath.Join(t.TempDir(), "draft.index")
		check(t, index.Of(drafts).Save(path))
		for range 2 {
			x, err := index.Open(path, drafts)
			check(t, err)
			if !x.Draft() || x.Upright() != upright {
				t.Errorf("the index says draft %t and upright %t, want true and %t", x.Draft(), x.Upright(), upright)
			}
			check(t, x.Save(path+".again"))
			check(t, x.Close())
			path += ".again"
		}
		_, err := index.Open(path, load(upright, false))
		fails(t, "the index is of images with draft true, but the model is to prepare them with draft false", err)
		_, err = index.Open(path, load(!upright, true))
		fails(t, "the index is of images with upright", err)
	}
	path := filepath.Join(t.TempDir(), "whole.index")
	check(t, index.Of(whole).Save(path))
	_, err := index.Open(path, load(false, true))
	fails(t, "the index is of images with draft false, but the model is to prepare them with draft true", err)
	_, err = index.Open(filepath.Join(dir, "pics.index"), load(false, true))
	fails(t, "the index is of images with draft false", err)
}
