package report

import (
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/internal/nothing"
)

// TestNothing: no features are an error, and an image without predictions is no mistake.
func TestNothing(t *testing.T) {
	for _, f := range []*eval.Features{nil, {}} {
		if _, err := NewMap(f); err == nil || err.Error() != "report: map: the features are nil" {
			t.Errorf("got error %v, want the features are nil", err)
		}
	}
	var h Hardest
	h.Add(dataset.Pair{}, nil)
	h.Add(dataset.Pair{}, []encoder.Prediction{{Label: "a"}})
	if n := len(h.Mistakes()); n != 0 {
		t.Errorf("got %d mistakes, want none", n)
	}
}

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		NewMap, Result{},
		(*Hardest)(nil), &Hardest{}, (*Report)(nil), &Report{},
	) {
		t.Error(panicked)
	}
}
