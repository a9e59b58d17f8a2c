package dataset_test

import (
	"context"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/nothing"
)

// TestNothing: a source that is missing or empty is an error that says so, and no panic.
func TestNothing(t *testing.T) {
	ctx := context.Background()
	batches := func(src dataset.Source) (err error) {
		for _, e := range dataset.Batches(ctx, src, dataset.BatchOptions{Size: 1, Epochs: 1}) {
			err = e
		}
		return err
	}
	captions := func(src dataset.Source) error {
		_, err := dataset.Captions(ctx, src, 1)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want string // "" for no error
	}{
		"batches of nil":           {batches(nil), "dataset: batches: Source is nil"},
		"captions of nil":          {captions(nil), "dataset: captions: Source is nil"},
		"batches without at":       {batches(dataset.NewIndexed(3, nil)), "dataset: indexed: at is nil"},
		"captions without at":      {captions(dataset.NewIndexed(3, nil)), "dataset: indexed: at is nil"},
		"batches of an empty Set":  {batches(&dataset.Set{}), "dataset: batches: the set is empty"},
		"captions of an empty Set": {captions(&dataset.Set{}), ""},
	} {
		if got := c.err; (got == nil) != (c.want == "") || got != nil && !strings.Contains(got.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", name, got, c.want)
		}
	}
}

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		dataset.Batches, dataset.Captions, dataset.NewIndexed, dataset.Open, dataset.OpenFS, dataset.ReadWrong, dataset.Bad{}, dataset.Sample{},
		(*dataset.Ledger)(nil), &dataset.Ledger{}, (*dataset.Set)(nil), &dataset.Set{},
	) {
		t.Error(panicked)
	}
}
