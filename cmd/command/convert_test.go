package command

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestConvert: to each layout and precision and back, the model has the similarities it had.
func TestConvert(t *testing.T) {
	data := tree(t, 4)
	arch := write(t, filepath.Join(t.TempDir(), "arch.json"), `{"embed_dim": 32, "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
		"text_cfg": {"context_length": 16, "vocab_size": 400, "width": 64, "heads": 1, "layers": 1}}`)
	model := tiny(t, data, "--arch", arch)
	picture := filepath.Join(data, "red", "0.png")
	// The guesses by name: two labels of nearly one probability may change their order.
	classify := func(dir string) []guess {
		var got []classified
		works(t, &got, "classify", "--model", dir, "--labels", "red,green", picture)
		return slices.SortedFunc(slices.Values(got[0].Guesses), func(a, b guess) int { return strings.Compare(a.Label, b.Label) })
	}
	want := classify(model)
	sizes := map[string]int64{}
	for _, layout := range []string{"open_clip", "huggingface", "goclip"} {
		for dtype, tolerance := range map[string]float64{"float32": 0, "float16": 2e-3, "bfloat16": 2e-2} {
			dir, back := filepath.Join(t.TempDir(), "there"), filepath.Join(t.TempDir(), "back")
			works(t, nil, "convert", model, "--layout", layout, "--dtype", dtype, "--out", dir)
			got := classify(dir)
			for i := range want {
				if diff := math.Abs(got[i].Similarity - want[i].Similarity); got[i].Label != want[i].Label || !(diff <= tolerance) {
					t.Errorf("%s %s: got %+v, want %+v within %g", layout, dtype, got[i], want[i], tolerance)
				}
			}
			works(t, nil, "convert", dir, "--out", back)
			if again := classify(back); !slices.Equal(again, got) {
				t.Errorf("%s %s and back: got %+v, want %+v", layout, dtype, again, got)
			}
			all, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
			check(t, err)
			info, err := os.Stat(all[0])
			check(t, err)
			sizes[layout+dtype] = info.Size()
			if config, err := os.ReadFile(filepath.Join(dir, "config.json")); err == nil && !strings.Contains(string(config), `"torch_dtype": "`+dtype+`"`) {
				t.Errorf("%s: config.json does not say so:\n%s", dtype, config)
			}
		}
		if half, whole := sizes[layout+"float16"], sizes[layout+"float32"]; half > whole*6/10 {
			t.Errorf("%s: %d bytes as float16, %d as float32", layout, half, whole)
		}
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"convert", model, "--out", ""}, misuse, "--out"},
		{[]string{"convert", model, "--out", "x", "--layout", "onnx"}, misuse, "--layout"},
		{[]string{"convert", model, "--out", "x", "--dtype", "int4"}, misuse, "float32, float16 or bfloat16"},
		{[]string{"convert", filepath.Join(data, "red"), "--out", "x"}, badInput, "no checkpoint"},
		{[]string{"convert", model, "--out", model}, 0, ""},
		{[]string{"convert", model, "--out", model, "--layout", "huggingface"}, failed, "another model"},
		{[]string{"convert", model, "--out", model, "--layout", "huggingface", "--overwrite"}, 0, ""},
	} {
		_, errs, code := goclip(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, want %d and %q in\n%s", c.args, code, c.code, c.says, errs)
		}
	}
}
