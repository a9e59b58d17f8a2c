package encoder_test

import (
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/nothing"
)

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		encoder.ConfigNames, encoder.Saved, encoder.ConfigByName, encoder.ConfigFor, encoder.ReadConfig, encoder.Join, encoder.Load, encoder.New, encoder.Rank,
		(*encoder.Model)(nil), &encoder.Model{}, encoder.Config{},
		(*encoder.Classifier)(nil), &encoder.Classifier{},
	) {
		t.Error(panicked)
	}
}
