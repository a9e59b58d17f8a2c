package explain_test

import (
	"testing"

	"github.com/goclip/goclip/explain"
	"github.com/goclip/goclip/internal/nothing"
)

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(explain.Image, explain.Vector, (*explain.Map)(nil), &explain.Map{}, explain.Options{}, explain.Gradients) {
		t.Error(panicked)
	}
}
