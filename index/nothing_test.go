package index_test

import (
	"path/filepath"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/nothing"
)

// TestNothing: what is missing or empty is an error that names it, and no panic.
func TestNothing(t *testing.T) {
	built := func(m *encoder.Model, src dataset.Source) error {
		_, _, err := index.Build(t.Context(), m, src)
		return err
	}
	empty, path := index.Of(&encoder.Model{}), filepath.Join(t.TempDir(), "index")
	for want, err := range map[string]error{
		"index: build: the model is nil":             built(nil, &dataset.Set{}),
		"index: build: the source is nil":            built(model(t, 4), nil),
		"index: build: the model has no image tower": built(&encoder.Model{}, &dataset.Set{}),
		"index: add: Embeddings is nil":              index.New(4).Add(nil, nil),
		"index: save: Dim is 0, want 1 to 1048576":   empty.Save(path),
		"index: save: Dim is -1, want 1 to 1048576":  index.New(-1).Save(path),
	} {
		fails(t, want, err)
	}
}

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		index.Build, index.New, index.Of, index.Open, index.Read,
		(*index.Index)(nil), &index.Index{}, index.New(0),
	) {
		t.Error(panicked)
	}
}
