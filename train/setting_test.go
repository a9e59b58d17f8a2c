package train_test

import (
	"testing"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/train"
)

// TestSetting: a run of the first version says nothing of photographs that are turned, and
// so they were not; its image size it says.
func TestSetting(t *testing.T) {
	c := train.Checkpoints{Dir: golden.Shared(t, "compat", "halfway", "checkpoints")}
	if v, found := c.Setting("model.Preprocess.Upright"); v != "" || !found {
		t.Errorf("Upright is %q, found %t, want nothing in a run that is there", v, found)
	}
	if v, found := c.Setting("model.Preprocess.Size"); v != "[32 32]" || !found {
		t.Errorf("Size is %q, found %t, want [32 32]", v, found)
	}
	if v, found := (train.Checkpoints{Dir: t.TempDir()}).Setting("model.Preprocess.Size"); v != "" || found {
		t.Errorf("a folder without checkpoints says %q, %t", v, found)
	}
}
