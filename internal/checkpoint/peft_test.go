package checkpoint

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/tensorfile"
)

// held is weights in memory.
type held map[string]heldTensor

type heldTensor struct {
	shape []int
	data  []float32
}

func (h held) Names() (names []string) {
	for n := range h {
		names = append(names, n)
	}
	return names
}

func (h held) Info(name string) (tensorfile.Info, bool) {
	t, ok := h[name]
	return tensorfile.Info{Name: name, DType: tensorfile.F32, Shape: t.shape}, ok
}

func (h held) Float32(name string, dst []float32) error { copy(dst, h[name].data); return nil }
func (h held) View(name string) ([]float32, bool)       { return h[name].data, true }
func (held) Release(string)                             {}
func (held) Close() error                               { return nil }

// TestAdapters: W + s·B·A, with the scales of LoRA and of its variants, DoRA's lengths,
// and tensors that take the place of others.
func TestAdapters(t *testing.T) {
	const fc = "vision_model.encoder.layers.0.mlp.fc1"
	base := held{
		fc + ".weight":              {[]int{2, 3}, []float32{1, 2, 2, 0, 3, 4}},
		fc + ".bias":                {[]int{2}, []float32{1, -1}},
		"visual_projection.weight":  {[]int{1, 2}, []float32{5, 6}},
		"vision_model.conv.weight":  {[]int{2, 1, 1, 2}, []float32{1, 2, 3, 4}},
		"text_model.untouched.bias": {[]int{1}, []float32{7}},
	}
	lora := func(more held) held {
		a := held{
			"base_model.model." + fc + ".lora_A.weight": {[]int{2, 3}, []float32{1, 0, 1, 0, 1, 0}},
			"base_model.model." + fc + ".lora_B.weight": {[]int{2, 2}, []float32{1, 0, 2, 3}},
		}
		for n, v := range more {
			a[n] = v
		}
		return a
	}
	// B·A is (1 0 1; 2 3 2).
	for _, c := range []struct {
		name, config string
		adapter      held
		tensor       string
		want         []float32
		err          string
	}{
		{"plain", `{"lora_alpha": 4}`, lora(nil), fc + ".weight", []float32{3, 2, 4, 4, 9, 8}, ""},
		{"default alpha", `{}`, lora(nil), fc + ".weight", []float32{5, 2, 6, 8, 15, 12}, ""},
		{"rank stabilised", `{"lora_alpha": 2, "use_rslora": true}`, lora(nil), fc + ".weight",
			[]float32{1 + math.Sqrt2, 2, 2 + math.Sqrt2, 2 * math.Sqrt2, 3 + 3*math.Sqrt2, 4 + 2*math.Sqrt2}, ""},
		{"a pattern of alphas", `{"lora_alpha": 9, "alpha_pattern": {"layers.1.mlp.fc1": 8, "fc1": 2}}`, lora(nil), fc + ".weight", []float32{2, 2, 3, 2, 6, 6}, ""},
		{"an expression of alphas", `{"lora_alpha": 9, "alpha_pattern": {"vision_model.*\\.(q_proj|fc1)": 2}}`, lora(nil), fc + ".weight", []float32{2, 2, 3, 2, 6, 6}, ""},
		{"lengths", `{"lora_alpha": 2, "use_dora": true}`, lora(held{"base_model.model." + fc + ".lora_magnitude_vector": {[]int{2}, []float32{26, 8}}}), fc + ".weight",
			[]float32{26 * 2 / float32(math.Sqrt(17)), 26 * 2 / float32(math.Sqrt(17)), 26 * 3 / float32(math.Sqrt(17)), 8 * 2 / float32(math.Sqrt(76)), 8 * 6 / float32(math.Sqrt(76)), 8 * 6 / float32(math.Sqrt(76))}, ""},
		{"a bias", `{"bias": "lora_only"}`, lora(held{"base_model.model." + fc + ".base_layer.bias": {[]int{2}, []float32{8, 9}}}), fc + ".bias", []float32{8, 9}, ""},
		{"a bias of the update", `{"lora_alpha": 4, "lora_bias": true}`, lora(held{"base_model.model." + fc + ".lora_B.bias": {[]int{2}, []float32{8, 9}}}), fc + ".bias", []float32{17, 17}, ""},
		{"a tensor saved whole", `{}`, lora(held{"base_model.model.visual_projection.weight": {[]int{1, 2}, []float32{-5, -6}}}), "visual_projection.weight", []float32{-5, -6}, ""},
		{"the same under an older name", `{}`, held{"base_model.model.visual_projection.modules_to_save.weight": {[]int{1, 2}, []float32{-5, -6}}}, "visual_projection.weight", []float32{-5, -6}, ""},
		{"a convolution", `{"lora_alpha": 1}`, held{
			"base_model.model.vision_model.conv.lora_A.weight": {[]int{1, 1, 1, 2}, []float32{1, 10}},
			"base_model.model.vision_model.conv.lora_B.weight": {[]int{2, 1, 1, 1}, []float32{1, 2}},
		}, "vision_model.conv.weight", []float32{2, 12, 5, 24}, ""},
		{"in a field", `{}`, held{"base_model.model.clip.visual_projection.weight": {[]int{1, 2}, []float32{-5, -6}}}, "visual_projection.weight", []float32{-5, -6}, ""},
		{"a tower without its prefix", `{}`, held{"base_model.model.untouched.bias": {[]int{1}, []float32{8}}}, "text_model.untouched.bias", []float32{8}, ""},
		{"nothing of it", `{}`, lora(nil), "text_model.untouched.bias", []float32{7}, ""},

		{"another model", `{}`, lora(held{"base_model.model.other.lora_A.weight": {[]int{1, 2}, nil}}), "", nil, "1 tensors of the adapter do not fit the model: base_model.model.other.lora_A.weight is of no tensor of the model"},
		{"embeddings", `{}`, held{"base_model.model.visual_projection.lora_embedding_A": {[]int{1, 2}, nil}}, "", nil, "is of no tensor of the model"},
		{"half of it", `{}`, held{"base_model.model." + fc + ".lora_A.weight": {[]int{2, 3}, nil}}, "", nil, "have shapes [2 3] and [], want (r, 3) and (2, r)"},
		{"ranks", `{}`, lora(held{"base_model.model." + fc + ".lora_B.weight": {[]int{2, 3}, nil}}), "", nil, "have shapes [2 3] and [2 3]"},
		{"lengths without DoRA", `{}`, lora(held{"base_model.model." + fc + ".lora_magnitude_vector": {[]int{2}, nil}}), "", nil, "use_dora is false"},
		{"DoRA without lengths", `{"use_dora": true}`, lora(nil), "", nil, "use_dora is true"},
		{"a misshapen whole", `{}`, held{"base_model.model.visual_projection.weight": {[]int{2, 1}, nil}}, "", nil, "has shape [2 1], want [1 2]"},
		{"no prefix", `{}`, held{fc + ".lora_A.weight": {[]int{2, 3}, nil}}, "", nil, "has a name without base_model.model. before it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := parsePEFT([]byte(c.config))
			if err != nil {
				t.Fatal(err)
			}
			m, err := adapt(base, c.adapter, &config)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, ok := m.View(c.tensor)
			if !ok {
				got = make([]float32, len(c.want))
				if err := m.Float32(c.tensor, got); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.EqualFunc(got, c.want, func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-5 }) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestAdapterRefusals: what changes the sum in other ways is refused by name.
func TestAdapterRefusals(t *testing.T) {
	for text, want := range map[string]string{
		`{"peft_type": "IA3"}`:                      `peft_type is "IA3", which is not supported; known is LORA`,
		`{"fan_in_fan_out": true}`:                  "fan_in_fan_out is true, which is not supported",
		`{"init_lora_weights": "pissa"}`:            `init_lora_weights is "pissa"`,
		`{"layer_replication": [[0, 4], [2, 5]]}`:   "layer_replication is",
		`{"loftq_config": {"loftq_bits": 4}}`:       "loftq_config is",
		`{"alpha_pattern": {"(": 1}}`:               "alpha_pattern: error parsing regexp",
		`{"alpha_pattern": {"fc": 1e300}}`:          "lora_alpha is 1e+300",
		`{"lora_alpha": "8"}`:                       `lora_alpha is "8", want a number`,
		`[]`:                                        "json",
		`{"base_model_name_or_path": ["a", "b"]}`:   "want a string",
		`{"alpha_pattern": {"a{1000}{1000}": 1.0}}`: "alpha_pattern: error parsing regexp",
	} {
		if _, err := parsePEFT([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", text, err, want)
		}
	}
}

// TestAdapterBase: an adapter's base is looked for beside it and in it, whatever path it
// was trained from.
func TestAdapterBase(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"adapter/inner", "base"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(root, "adapter")
	for name, want := range map[string]string{
		"base": "base", "/home/me/base/": "base", "../base": "base", "org/base": "base", "inner": "adapter/inner",
		"": "", "..": "", "/": "", "adapter": "", "openai/clip-vit-base-patch32": "",
	} {
		c := peftConfig{base: name}
		got, err := c.baseFolder(dir)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "which is not here: put that model's files beside the adapter's") {
				t.Errorf("%q: got %q, error %v", name, got, err)
			}
		} else if err != nil || got != filepath.Join(root, filepath.FromSlash(want)) {
			t.Errorf("%q: got %q, error %v; want %q", name, got, err, want)
		}
	}
}

// FuzzPEFT: any text is a configuration or an error.
func FuzzPEFT(f *testing.F) {
	f.Add(`{"peft_type": "LORA", "base_model_name_or_path": "base", "lora_alpha": 8, "alpha_pattern": {"fc2": 20}, "use_rslora": true}`)
	f.Add(`{"alpha_pattern": {"(a|b)*": 1}, "loftq_config": {}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parsePEFT([]byte(text))
		if err != nil {
			return
		}
		if s := c.scale("vision_model.fc", 4); s-s != 0 {
			t.Errorf("%s: scale %g", text, s)
		}
	})
}
