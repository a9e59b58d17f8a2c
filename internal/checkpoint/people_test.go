package checkpoint_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
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

// TestSaveOverAdapter: a model with an adapter merged in is not written beside the adapter,
// which would be merged in again.
func TestSaveOverAdapter(t *testing.T) {
	s := tinySpec()
	dir := saved(t, checkpoint.HuggingFace, s)
	write(t, filepath.Join(dir, "adapter_config.json"), `{"lora_alpha": 4}`)
	err := safetensors.WriteFile(filepath.Join(dir, "adapter_model.safetensors"), []safetensors.Tensor{
		{Name: "base_model.model.visual_projection.lora_A.weight", Shape: []int{1, 12}, Float32: []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{Name: "base_model.model.visual_projection.lora_B.weight", Shape: []int{10, 1}, Float32: []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, merged := open(t, dir, &checkpoint.Options{Own: true})
	options := &checkpoint.SaveOptions{Own: []fs.FileInfo{c.File()}}
	if _, err := checkpoint.Save(dir, checkpoint.HuggingFace, s, merged.params(), options); err == nil {
		t.Error("saved beside the adapter")
	}
	options.Overwrite = true
	if _, err := checkpoint.Save(dir, checkpoint.HuggingFace, s, merged.params(), options); err != nil {
		t.Fatal(err)
	}
	_, again := open(t, dir, nil)
	for i, p := range again.params() {
		if !slices.Equal(p.Data, merged.params()[i].Data) {
			t.Errorf("%s changed", p.Name)
		}
	}
}
