package scaling

import (
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/nothing"
)

// TestNothing: an empty model has no parameters.
func TestNothing(t *testing.T) {
	if n := Params(&encoder.Model{}); n != 0 {
		t.Errorf("got %d parameters, want 0", n)
	}
}

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		MultiplyAdds, Params, TrainingFLOPs, FitFrontier, FitJoint, FitLine, FitPower, Frontier, ReadRecords, RunAll, OpenLog,
		Interval{}, Joint{}, Power{}, Record{}, Run{}, (*Log)(nil), &Log{},
	) {
		t.Error(panicked)
	}
}
