package checkpoint_test

import (
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// TestPeoplesFolders: checkpoints that training programs wrote, which the references load.
func TestPeoplesFolders(t *testing.T) {
	for folder, layout := range map[string]string{
		"hf_binshard": checkpoint.HuggingFace, "oc_origmod": checkpoint.OpenCLIP, "oc_lightning": checkpoint.OpenCLIP, "openai_finetuned": checkpoint.OpenAI,
	} {
		t.Run(folder, func(t *testing.T) {
			c, _ := open(t, golden.Shared(t, "cases", "checkpoints", folder), nil)
			if got := c.Spec().Layout; got != layout {
				t.Errorf("layout %s, want %s", got, layout)
			}
			if v, ok := c.Spec().Vision.(vision.ViT); !ok || v.Activation != nn.QuickGELU {
				t.Errorf("image tower %+v, want a ViT of QuickGELU", c.Spec().Vision)
			}
		})
	}
}

// TestAdapterBeside: an adapter in its base's folder is merged in, and a file of weights
// that is named is read without it.
func TestAdapterBeside(t *testing.T) {
	dir := golden.Shared(t, "cases", "commands", "19-peft-adapter-beside", "model")
	_, with := open(t, dir, nil)
	_, without := open(t, dir+"/model.safetensors", nil)
	changed := 0
	for i, p := range with.params() {
		for j, v := range without.params()[i].Data {
			if p.Data[j] != v {
				changed++
				break
			}
		}
	}
	if changed != 5 { // two matrices of each tower's block, q, k and v being one, and the projection of images
		t.Errorf("%d parameters differ, want 5", changed)
	}
}
