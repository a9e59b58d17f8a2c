package train

import (
	"slices"
	"testing"
)

// TestFirstIdentity: a run of the first version, which printed what is left out now, is
// the same run, and another one is told by name.
func TestFirstIdentity(t *testing.T) {
	run := identity{
		"model": "set", "model.Vision": "vit", "model.Vision.Width": "8", "model.Text": "transformer", "model.Text.Proj": "linear",
		"model.Preprocess.Interpolation": "bilinear", "data.KeepLast": "false",
	}
	saved := identity{
		"model": "set", "model.Vision": "set", "model.Vision.Width": "8", "model.Vision.Stages": "[]", "model.Vision.PoolHeads": "0",
		"model.Text": "set", "model.Text.ProjBias": "true", "model.LogitBias": "not set", "train.Groups": "caption",
		"model.Preprocess.Resize": "shortest", "model.Preprocess.Interpolation": "", "data.KeepLast": "false", "data.Augment": "not set",
	}
	want := []string{"model.Preprocess.Interpolation: the checkpoint has not set, this run bilinear"}
	if got := run.differences(identityOf1(saved)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
