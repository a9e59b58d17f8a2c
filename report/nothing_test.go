package report

import (
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
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
