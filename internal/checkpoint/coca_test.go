package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/vision"
)

// TestCoCaImages holds CoCa's image towers, with attention pooling and without, to
// their references. Their configurations are read beside a plain text tower.
func TestCoCaImages(t *testing.T) {
	for name, pool := range map[string]vision.Pool{
		"coca_b32_f16": vision.PoolMap, "coca_base_f16": vision.PoolClass, "coca_roberta_f16": vision.PoolClass,
	} {
		t.Run(name, func(t *testing.T) {
			dir := golden.Shared(t, "families", "checkpoints", name)
			var config struct {
				Model struct {
					EmbedDim int             `json:"embed_dim"`
					Vision   json.RawMessage `json:"vision_cfg"`
				} `json:"model_cfg"`
			}
			decode(t, filepath.Join(dir, "open_clip_config.json"), &config)
			image, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			s, err := checkpoint.Read(bytes.NewReader(image), checkpoint.Vocabulary{Size: 10, End: 9})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Vision.(vision.ViT).Pool; got != pool {
				t.Errorf("pooling %s, want %s", got, pool)
			}
			m := blank(t, s)
			weights, err := safetensors.Open(filepath.Join(dir, "open_clip_model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer weights.Close()
			for _, p := range m.vision.Params() {
				p.Data, _ = activations{t, weights}.floats(p.Name)
			}
			f, err := safetensors.Open(golden.Shared(t, "families", "activations", name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			a := activations{t, f}
			pixels, shape := a.floats("pixel_values")
			want, _ := a.floats("image_features")
			got := m.encodeImages(t, pixels, shape...)
			near(t, "image_features", got, want, 1e-5*largest(want))
			t.Logf("image_features: %.1e of the largest", furthest(got, want)/largest(want))
		})
	}
}
