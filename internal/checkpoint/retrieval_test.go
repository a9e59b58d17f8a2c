package checkpoint_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
)

// retrieval copies a checkpoint of one of the classes that are only read.
func retrieval(t *testing.T, name string) string {
	t.Helper()
	src, dir := golden.Shared(t, "families_hf", "checkpoints", name), filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(src)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRetrievalClasses: models of transformers that have no writer are saved in goclip's
// own layout, with the scale of their scores.
func TestRetrievalClasses(t *testing.T) {
	for name, want := range map[string]struct {
		image, text string
		scale       float64 // 0 for that of the file
	}{
		"align_f32": {"efficientnet", "bert", 0}, "align_pad_f16": {"efficientnet", "bert", 0}, "blip_f32": {"plain_vit", "bert", 0},
		"blip_itr_f32": {"plain_vit", "bert", 1}, "blip2_itr_f32": {"blip2", "bert", 1}, "tipsv2_f32": {"tips", "tips", 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, m := open(t, retrieval(t, name), nil)
			s := c.Spec()
			if s.Vision.Family() != want.image || s.Text.Family() != want.text {
				t.Errorf("got families %s and %s, want %s and %s", s.Vision.Family(), s.Text.Family(), want.image, want.text)
			}
			params := m.params()
			if got := math.Exp(float64(scaleOf(t, m))); want.scale != 0 && got != want.scale {
				t.Errorf("cosines are multiplied by %g, want %g", got, want.scale)
			}
			if err := checkpoint.Writable(checkpoint.HuggingFace, s); err == nil {
				t.Error("the class has a writer")
			}
			dir := t.TempDir()
			if _, err := checkpoint.Save(dir, checkpoint.Own, s, params, nil); err != nil {
				t.Fatal(err)
			}
			_, again := open(t, dir, nil)
			sameParams(t, again.params(), params)
		})
	}
}

func scaleOf(t *testing.T, m *model) float32 {
	t.Helper()
	for _, p := range m.params() {
		if p.Name == "logit_scale" {
			return p.Data[0]
		}
	}
	t.Fatal("no logit_scale")
	return 0
}

// TestTemperature: what cosines are divided by must be positive, and is the configuration's
// where the file has none.
func TestTemperature(t *testing.T) {
	dir := retrieval(t, "tipsv2_f32")
	rewrite(t, filepath.Join(dir, "model.safetensors"), func(ts []safetensors.Tensor) []safetensors.Tensor {
		return slices.DeleteFunc(ts, func(t safetensors.Tensor) bool { return t.Name == "temperature" })
	})
	_, m := open(t, dir, nil)
	if got, want := scaleOf(t, m), -math.Log(0.005065968260169029); got != float32(want) {
		t.Errorf("without a temperature: got logit_scale %v, want %v", got, want)
	}
	dir = retrieval(t, "align_f32")
	rewrite(t, filepath.Join(dir, "model.safetensors"), func(ts []safetensors.Tensor) []safetensors.Tensor {
		for i := range ts {
			if ts[i].Name == "temperature" {
				ts[i] = safetensors.Tensor{Name: "temperature", Float32: []float32{0}}
			}
		}
		return ts
	})
	wantError(t, fillError(t, dir), "temperature is 0, want a positive number")
}

// TestRetrievalRefusals: configurations that no such model has name the field.
func TestRetrievalRefusals(t *testing.T) {
	for _, c := range []struct{ name, field, value, want string }{
		{"align_f32", "vision_config.strides", `[1, 2]`, "the lists of vision_config have different numbers of elements, or not 1 to 8"},
		{"align_f32", "vision_config.strides", `2`, "vision_config.strides is 2, want a list of integers"},
		{"align_f32", "vision_config.strides", `[1, 3, 2]`, "vision: Stages[1].Stride is 3, want 1 to 2"},
		{"align_f32", "vision_config.in_channels", `[32, 16, 12]`, "stage 1 of vision_config has 2 blocks and 16 channels going in"},
		{"align_f32", "vision_config.num_block_repeats", `[1, 0, 1]`, "stage 1 of vision_config has 0 blocks"},
		{"align_f32", "vision_config.depth_coefficient", `1e300`, "stage 0 of vision_config has 1e+300 blocks"},
		{"align_f32", "vision_config.width_coefficient", `-1`, "32 channels times width_coefficient -1, in steps of depth_divisor 4"},
		{"align_f32", "vision_config.depth_divisor", `0`, "in steps of depth_divisor 0"},
		{"align_f32", "vision_config.pooling_type", `"max"`, `vision_config.pooling_type is "max", which is not supported`},
		{"align_f32", "projection_dim", `16`, "the image tower's features have 32 elements, the text tower's 16"},
		{"align_f32", "temperature_init_value", `0`, "temperature_init_value is 0, want a positive number"},
		{"blip_f32", "vision_config.patch_size", `0`, "vision: PatchSize is 0"},
		{"blip2_itr_f32", "num_query_tokens", `0`, "vision: QFormer.Queries is 0"},
		{"blip2_itr_f32", "vision_config.hidden_act", `"quick_gelu"`, "vision_config.hidden_act is quick_gelu and qformer_config.hidden_act gelu, want one of both"},
		{"tipsv2_f32", "text_config.hidden_act", `"gelu"`, `text_config.hidden_act is "gelu", which is not supported`},
		{"tipsv2_f32", "text_config.pooling_epsilon", `1e-3`, "text_config.pooling_epsilon is 0.001, which is not supported; known is 1e-08"},
		{"tipsv2_f32", "text_config.hidden_size", `45`, "text: Heads is 4, which does not divide Width 45"},
		{"tipsv2_f32", "model_type", `"videoprism_vision_model"`, `model_type is "videoprism_vision_model", which is not supported: it is a model of videos`},
	} {
		dir := retrieval(t, c.name)
		var config map[string]any
		path := filepath.Join(dir, "config.json")
		decode(t, path, &config)
		at, key := config, c.field
		if section, field, ok := strings.Cut(c.field, "."); ok {
			at, key = config[section].(map[string]any), field
		}
		at[key] = json.RawMessage(c.value)
		b, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, string(b))
		ck, err := checkpoint.Open(dir, nil)
		wantError(t, err, c.want)
		if err == nil {
			ck.Close()
		}
	}
}
