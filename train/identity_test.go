package train

import (
	"slices"
	"testing"
)

// TestUnsaidSettings: a run of the first version, which printed a default as
// nothing where nobody had spelt it out, is the same run.
func TestUnsaidSettings(t *testing.T) {
	run := identity{"model.Preprocess.Resize": "shortest", "model.Preprocess.Interpolation": "bilinear"}
	saved := identity{"model.Preprocess.Resize": "", "model.Preprocess.Interpolation": ""}
	want := []string{"model.Preprocess.Interpolation: the checkpoint has bicubic, this run bilinear"}
	if got := run.differences(saved); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if saved["model.Preprocess.Resize"] != "" {
		t.Error("the saved identity was changed")
	}
}
