package fewshot

import (
	"testing"

	"github.com/goclip/goclip/encoder"
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
