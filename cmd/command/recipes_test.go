package command

import (
	"path/filepath"
	"testing"
)

// TestRecipes: those of the recipes folder are understood, from the folder above
// it, as their documentation calls them.
func TestRecipes(t *testing.T) {
	t.Chdir("../..")
	files, err := filepath.Glob("recipes/*.yaml")
	check(t, err)
	if len(files) == 0 {
		t.Error("there is no recipe")
	}
	data := tree(t, 2)
	captions := write(t, filepath.Join(data, "captions.csv"), "image,caption\nred/0.png,something red\nblue/0.png,something blue\ngrey/1.png,grey\ngreen/1.png,green\n")
	for _, file := range files {
		set := data
		if filepath.Base(file) == "flickr8k.yaml" {
			set = captions
		}
		var got struct {
			Steps int
			Test  map[string]float64
		}
		works(t, &got, "train", "--config", file, "--data", set, "--test", set, "--out", filepath.Join(t.TempDir(), "model"), "--steps", "1", "--batch-size", "4")
		if got.Steps != 1 || got.Test == nil {
			t.Errorf("%s: %d steps and %v, want a step and a test", file, got.Steps, got.Test)
		}
	}
}
