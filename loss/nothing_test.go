package loss_test

import (
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/nothing"
	"github.com/goclip/goclip/loss"
)

// TestNothing: a missing node or loss is an error, and no panic.
func TestNothing(t *testing.T) {
	for _, c := range []struct {
		loss loss.Loss
		want string
	}{
		{loss.InfoNCE{}, "InfoNCE: image embeddings: the node is nil"},
		{loss.Sigmoid{}, "Sigmoid: image embeddings: the node is nil"},
		{loss.Teacher{}, "Teacher: image embeddings: the node is nil"},
		{loss.Mix(.5, nil, nil), "Mix: a loss is nil"},
		{loss.Mix(.5, loss.InfoNCE{}, nil), "Mix: a loss is nil"},
	} {
		if _, err := c.loss.Forward(loss.Input{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want …%s", err, c.want)
		}
	}
	if _, err := loss.Scale(nil); err == nil {
		t.Error("the scale of nil: got no error")
	}
}

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		loss.Scale, loss.Mix, loss.Mix(0.5, nil, nil), loss.InfoNCE{}, loss.Sigmoid{}, loss.Teacher{}, loss.ByRows, loss.ByColumns, loss.ByRows("rows", nil), loss.Row{},
	) {
		t.Error(panicked)
	}
}
