package command

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TestInfoOfOneTower: a model that reads no images has no preprocessing.
func TestInfoOfOneTower(t *testing.T) {
	m, err := encoder.New(encoder.Config{Text: text.Transformer{
		ContextLength: 4, VocabSize: 9, Width: 8, Layers: 1, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5,
		Mask: text.MaskCausal, Pool: text.PoolArgmax,
	}}, nil, 1)
	check(t, err)
	dir := filepath.Join(t.TempDir(), "model")
	check(t, m.Save(dir))
	if out := works(t, nil, "info", dir); !strings.Contains(out, "a model of") || strings.Contains(out, "preprocessing") || !strings.Contains(out, "in memory too") {
		t.Errorf("got\n%s", out)
	}
	for precision, want := range map[string]string{"float16": "float16 in 4 of 4 linear layers", "bfloat16": "bfloat16 in 4 of 4 linear layers", "int8": "int8 in 4 of 4 linear layers"} {
		if out := works(t, nil, "info", dir, "--precision", precision); !strings.Contains(out, want) || strings.Contains(out, "in memory too") {
			t.Errorf("%s: got\n%s", precision, out)
		}
	}
}

// TestInfoOfConfiguration: the name of a configuration is enough, without weights and network, and
// so is that of a tag which was not downloaded.
func TestInfoOfConfiguration(t *testing.T) {
	t.Setenv("HF_HUB_OFFLINE", "1")
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	t.Chdir(t.TempDir())
	for name, want := range map[string]struct {
		config, loss, family string
		parameters           int64
		flops                float64
	}{
		"ViT-B-16-SigLIP2":             {"ViT-B-16-SigLIP2", "sigmoid", "siglip", 375_187_970, 35.42e9},
		"ViT-B-32/laion2b_s34b_b79k":   {"ViT-B-32", "softmax", "vit", 151_277_313, 8.82e9},
		"ViT-B-32__openai":             {"ViT-B-32-quickgelu", "softmax", "vit", 151_277_313, 8.82e9},
		"RN50":                         {"RN50", "softmax", "resnet", 102_007_137, 11.59e9},
		"coca_ViT-B-32":                {"coca_ViT-B-32", "softmax", "vit", 253_560_065, 8.9e9},
		"MobileCLIP2-S4/dfndr2b":       {"MobileCLIP2-S4", "softmax", "fastvit", 0, 0},
		"ViT-B-16-SigLIP2-naflex":      {"ViT-B-16-SigLIP2-naflex", "sigmoid", "naflex", 0, 0},
		"xlm-roberta-base-ViT-B-32":    {"xlm-roberta-base-ViT-B-32", "softmax", "vit", 0, 8.82e9},
		"swin_base_patch4_window7_224": {"swin_base_patch4_window7_224", "softmax", "swin", 0, 30.86e9},
	} {
		var i modelInfo
		out, errs, code := goclip(t, "info", name, "--json")
		// Configurations of towers are interfaces, which are read back as maps.
		check(t, json.Unmarshal([]byte(strings.NewReplacer(`"vision":`, `"v":`, `"text":`, `"t":`).Replace(out)), &i))
		if code != 0 || i.Kind != "configuration" || i.Name != want.config || i.Probabilities.String() != want.loss || i.Image.Family != want.family {
			t.Errorf("%s: %d, got %+v\n%s", name, code, i, errs)
		}
		if want.parameters > 0 && i.Parameters != want.parameters {
			t.Errorf("%s: got %d parameters, want %d", name, i.Parameters, want.parameters)
		}
		if ratio := i.Image.FLOPs / want.flops; want.flops > 0 && !(ratio > 0.999 && ratio < 1.001) {
			t.Errorf("%s: got %g FLOPs, want %g", name, i.Image.FLOPs, want.flops)
		}
		if m := i.Memory; m.Float32 != 2*m.Halves || m.Images <= m.Image || m.Caption < 1000 {
			t.Errorf("%s: got %+v", name, m)
		}
		if out := works(t, nil, "info", name); !strings.Contains(out, "billion FLOPs") || !strings.Contains(out, "kind  ") {
			t.Errorf("%s: got\n%s", name, out)
		}
	}
	if _, errs, code := goclip(t, "info", "siglip2"); code != badInput || !strings.Contains(errs, "ViT-B-16-SigLIP2") {
		t.Errorf("a part of a name: %d, %s", code, errs)
	}
}

// TestInfoOfFolder: kind, layout, licence and tokenizer of a model on this machine.
func TestInfoOfFolder(t *testing.T) {
	bias := -10.0
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 8, Layers: 1, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5,
			Pool: vision.PoolClass,
		},
		Text: text.Transformer{
			ContextLength: 4, VocabSize: 9, Width: 8, Layers: 1, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5,
			Mask: text.MaskCausal, Pool: text.PoolArgmax,
		},
		Preprocess: vision.CLIPPreprocess(16), LogitBias: &bias,
	}, nil, 1)
	check(t, err)
	dir := filepath.Join(t.TempDir(), "model")
	check(t, m.Save(dir))
	write(t, filepath.Join(dir, "README.md"), "---\nlicense: mit\n---\n")
	out := works(t, nil, "info", dir)
	for _, want := range []string{"sigmoid", "layout         open_clip", "licence        mit", "16 × 16 pixels", "preprocessing  shortest to 16 × 16", "tokenizer      none"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
