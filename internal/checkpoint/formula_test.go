package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
)

// formula gives the values of a tensor that follow from its name, its shape and a seed,
// as the reference's README has them.
func formula(name string, shape []int, seed uint64) []float32 {
	centre, amplitude := formulaRange(name, shape)
	n := 1
	for _, d := range shape {
		n *= d
	}
	state := fnv1a(name) + seed*0xd1342543de82ef95
	v := make([]float32, n)
	for i := range v {
		u := float64(splitmix(state+uint64(i+1)*0x9e3779b97f4a7c15)>>40)/(1<<23) - 1
		v[i] = float32(centre + float64(amplitude*u))
	}
	return v
}

func fnv1a(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, b := range []byte(s) {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	return h
}

func splitmix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func formulaRange(name string, shape []int) (centre, amplitude float64) {
	parts := strings.Split(name, ".")
	last := parts[len(parts)-1]
	stem := last // of the name of a weight, the layer's
	if last == "weight" && len(parts) > 1 {
		stem = parts[len(parts)-2]
	}
	fan := 1.0
	for _, d := range shape[min(1, len(shape)):] {
		fan *= float64(d)
	}
	switch flat := len(shape) < 2; {
	case name == "pixel_values":
		return 0, 2
	case name == "logit_scale":
		return 2.5, 0.25
	case name == "logit_bias":
		return -8, 2
	case last == "running_mean":
		return 0, 0.25
	case last == "running_var":
		return 1, 0.5
	case strings.HasPrefix(last, "gamma") && !flat:
		return 0.125, 0.0625
	case strings.HasPrefix(last, "gamma") || last == "vr_lambda":
		return 0.5, 0.25
	case strings.Contains(stem, "embed") || strings.Contains(stem, "token") || stem == "cls_emb" || stem == "latent" || last == "query":
		return 0, 0.5
	case flat && last == "weight":
		return 1, 0.25
	case flat:
		return 0, 0.125
	case strings.HasSuffix(name, "SelfAttention.q.weight"):
		return 0, math.Sqrt(3 / (16 * fan))
	}
	return 0, math.Sqrt(3 / fan)
}

// TestFormula holds the formula to the values that its README gives.
func TestFormula(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape []int
		seed  uint64
		want  []float32
	}{
		{"logit_scale", nil, 0, []float32{2.5635452270507812}},
		{"visual.trunk.blocks.0.attn.qkv.weight", []int{192, 64}, 0, []float32{0.017762145027518272, 0.04625627025961876}},
		{"text.ln_final.weight", []int{64}, 3, []float32{0.8557571172714233, 0.9624766111373901}},
		{"text.ln_final.bias", []int{64}, 0, []float32{-0.11913034319877625, -0.043294623494148254}},
		{"visual.trunk.pos_embed", []int{1, 16, 64}, 1, []float32{-0.17113041877746582, 0.34875279664993286}},
		{"pixel_values", []int{1, 3, 2, 2}, 0, []float32{-1.8648953437805176, -1.974987268447876}},
	} {
		got := formula(c.name, c.shape, c.seed)
		for i, want := range c.want {
			if got[i] != want {
				t.Errorf("%s[%d] is %v, want %v", c.name, i, got[i], want)
			}
		}
	}
}

// TestFormulaFeatures holds models whose weights are too many to be stored to their
// references.
func TestFormulaFeatures(t *testing.T) {
	for _, name := range []string{"full_pe_core_t16_384", "mobileclip_b_formula", "vitamin_s_formula", "vitamin_b_formula", "vitamin_l2_256_formula"} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("large models")
			}
			f, err := safetensors.Open(golden.Shared(t, "families", "formula", "activations", name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			m, pixels, shape := formulaModel(t, name)
			compareFeatures(t, m, activations{t, f}, pixels, shape)
		})
	}
}

// formulaModel makes the model of a case, and its images.
func formulaModel(t *testing.T, name string) (m *model, pixels []float32, shape []int) {
	t.Helper()
	var all map[string]struct {
		Seed   uint64                `json:"seed"`
		Config struct{ Vocab int }   `json:"config"`
		Pixels struct{ Shape []int } `json:"pixel_values"`
	}
	decode(t, golden.Shared(t, "families", "formula", "checkpoints", "index.json"), &all)
	c := all[name]
	config, err := os.ReadFile(golden.Shared(t, "families", "formula", "checkpoints", name, "open_clip_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := checkpoint.Read(bytes.NewReader(config), checkpoint.Vocabulary{Size: c.Config.Vocab})
	if err != nil {
		t.Fatal(err)
	}
	m = blank(t, s)
	for _, p := range m.params() {
		name := p.Name
		if s.CustomText && !strings.HasPrefix(name, "visual.") && !strings.HasPrefix(name, "logit_") {
			name = "text." + name
		}
		p.Data = formula(name, p.Shape, c.Seed)
	}
	return m, formula("pixel_values", c.Pixels.Shape, c.Seed), c.Pixels.Shape
}

func decode(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}
