package scaling

import (
	"testing"

	"github.com/goclip/goclip/encoder"
)

// TestNothing: an empty model has no parameters.
func TestNothing(t *testing.T) {
	if n := Params(&encoder.Model{}); n != 0 {
		t.Errorf("got %d parameters, want 0", n)
	}
}
