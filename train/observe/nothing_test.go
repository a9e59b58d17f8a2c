package observe_test

import (
	"testing"

	"github.com/goclip/goclip/internal/nothing"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

// TestNothing: an observer without a file says so, and does not panic.
func TestNothing(t *testing.T) {
	for _, c := range []struct {
		observer train.Observer
		want     string
	}{
		{&observe.JSONLines{}, "observe: the JSONLines has no file, want one of OpenJSONLines"},
		{&observe.TensorBoard{}, "observe: the TensorBoard has no file, want one of OpenTensorBoard"},
	} {
		if err := c.observer.Observe(train.Event{}); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	check(t, new(observe.Progress).Observe(train.Event{}))
}

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		observe.NewProgress, observe.OpenJSONLines,
		(*observe.JSONLines)(nil), &observe.JSONLines{},
		(*observe.Progress)(nil), &observe.Progress{},
		(*observe.TensorBoard)(nil), &observe.TensorBoard{},
	) {
		t.Error(panicked)
	}
}
