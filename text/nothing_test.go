package text_test

import (
	"testing"

	"github.com/goclip/goclip/internal/nothing"
	"github.com/goclip/goclip/text"
)

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		text.New, text.Transformer{}, text.Mask(99), text.Pool(99), text.Proj(99),
	) {
		t.Error(panicked)
	}
}
