package fewshot

import (
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/nothing"
)

// TestNothing: empty heads have no logits.
func TestNothing(t *testing.T) {
	one := &encoder.Embeddings{N: 1, Dim: 1, Data: []float32{1}}
	for _, h := range []Head{Linear{}, &Cache{}, &Cache{Keys: one}} {
		if z := h.Logits(one); z != nil {
			t.Errorf("%T: got logits %v, want none", h, z)
		}
	}
}

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		Draw, Predict, TipAdapter, TipAdapterF, NearestMean, Probe, ZeroShot, Methods, Test,
		(*Cache)(nil), &Cache{}, Linear{}, Run{}, Study{},
	) {
		t.Error(panicked)
	}
}
