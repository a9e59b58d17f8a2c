package checkpoint_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// siglipSpec is a SigLIP that both layouts can hold.
func siglipSpec() checkpoint.Spec {
	half := [3]float32{0.5, 0.5, 0.5}
	return checkpoint.Spec{
		Vision: vision.SigLIP{
			ImageSize: [2]int{18, 18}, PatchSize: 8, Width: 12, Layers: 2, Heads: 3,
			MLPRatio: 2.5, Activation: nn.GELUTanh, NormEps: 1e-6,
		},
		Text: text.Transformer{
			ContextLength: 6, VocabSize: 20, Width: 8, Layers: 1, Heads: 2, EmbedDim: 12,
			MLPRatio: 4, Activation: nn.GELU, NormEps: 1e-6, Mask: text.MaskNone, Pool: text.PoolLast, Proj: text.ProjLinear,
		},
		Preprocess: &vision.Preprocess{Size: [2]int{18, 18}, Resize: vision.ResizeSquash, Interpolation: vision.Bilinear, Mean: half, Std: half},
		LogitBias:  true, InitLogitBias: -10, InitLogitScale: 2.302585092994046,
	}
}

// TestSigLIPSaveOpen: what is saved in either layout, with the query's projection apart
// and the keys' and values' packed or the other way round, is read back bit for bit.
func TestSigLIPSaveOpen(t *testing.T) {
	for _, layout := range []string{checkpoint.OpenCLIP, checkpoint.HuggingFace, checkpoint.Own} {
		t.Run(layout, func(t *testing.T) {
			s := siglipSpec()
			for _, own := range []bool{false, true} {
				c, m := open(t, saved(t, layout, s), &checkpoint.Options{Own: own})
				if got := c.Spec(); got.Vision != s.Vision || got.Text != s.Text || got.LogitBias != s.LogitBias || *got.Preprocess != *s.Preprocess {
					t.Errorf("got %+v %+v, want %+v", got, got.Preprocess, s)
				}
				sameParams(t, m.params(), random(t, s).params())
			}
		})
	}
}

// TestSigLIPShapes: what is written for transformers has the shapes that it has there.
func TestSigLIPShapes(t *testing.T) {
	f, err := safetensors.Open(filepath.Join(saved(t, checkpoint.HuggingFace, siglipSpec()), "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string][]int{
		"logit_scale": {1}, "logit_bias": {1}, "vision_model.head.probe": {1, 1, 12},
		"vision_model.embeddings.position_embedding.weight":     {4, 12},
		"vision_model.head.attention.in_proj_weight":            {36, 12},
		"vision_model.head.attention.in_proj_bias":              {36},
		"vision_model.encoder.layers.1.self_attn.k_proj.weight": {12, 12},
		"text_model.head.weight":                                {12, 8},
	} {
		if info, ok := f.Info(name); !ok || !slices.Equal(info.Shape, want) {
			t.Errorf("%s has %v (there: %t), want %v", name, info.Shape, ok, want)
		}
	}
}

// TestSigLIPManifests: all 26 configurations of open_clip have the tensors, shapes and
// activations that open_clip's models have.
func TestSigLIPManifests(t *testing.T) {
	seen := 0
	for _, m := range manifests(t) {
		if !strings.Contains(m.Name, "SigLIP") || strings.Contains(m.Name, "naflex") {
			continue
		}
		seen++
		s, ok := checkpoint.ConfigByName(m.Name)
		if !ok {
			t.Errorf("%s is not known", m.Name)
			continue
		}
		sameShapes(t, m, s)
		if act := s.Vision.(vision.SigLIP).Activation; m.VisionActivations["visual.trunk.blocks.N.mlp.act: "+timmName(act)] == 0 {
			t.Errorf("%s: activation %s, want %v", m.Name, act, m.VisionActivations)
		}
		if act := s.Text.(text.Transformer).Activation; m.TextActivations["text.transformer.resblocks.N.mlp.gelu: "+timmName(act)] == 0 {
			t.Errorf("%s: activation %s of the text tower, want %v", m.Name, act, m.TextActivations)
		}
	}
	if seen != 26 {
		t.Errorf("%d configurations, want 26", seen)
	}
}

func timmName(a nn.Activation) string {
	if a == nn.GELU {
		return "gelu_erf"
	}
	return a.String()
}

// TestSigLIPFeatures holds both layouts to their references.
func TestSigLIPFeatures(t *testing.T) {
	for _, set := range []string{"families", "families_hf"} {
		for _, dir := range siglips(t, set) {
			t.Run(set+"/"+filepath.Base(dir), func(t *testing.T) {
				_, m := open(t, dir, nil)
				referenceFeatures(t, m, golden.Shared(t, set, "activations", filepath.Base(dir)+".safetensors"))
			})
		}
	}
}

// TestSigLIPOtherSizes: images of other sizes, as transformers resizes positions.
func TestSigLIPOtherSizes(t *testing.T) {
	dir := golden.Shared(t, "families_hf", "checkpoints", "siglip_interp_f32")
	f, err := safetensors.Open(golden.Shared(t, "families_hf", "activations", "siglip_interp_f32.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, tried := activations{t, f}, 0
	for _, name := range f.Names() {
		size, ok := strings.CutSuffix(name, ".pixel_values")
		if !ok {
			continue
		}
		tried++
		pixels, shape := a.floats(name)
		want, _ := a.floats(size + ".image_features")
		_, m := open(t, dir, &checkpoint.Options{ImageSize: [2]int{shape[2], shape[3]}})
		near(t, size, m.encodeImages(t, pixels, shape...), want, 1e-5*largest(want))
	}
	if tried == 0 {
		t.Error("no other size")
	}
}

// siglips lists the folders of a set that hold a SigLIP of one size with both towers.
func siglips(t *testing.T, set string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(golden.Shared(t, set, "checkpoints"), "siglip*"))
	if err != nil {
		t.Fatal(err)
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool {
		return strings.Contains(dir, "naflex") || strings.Contains(dir, "_bare")
	})
	if len(dirs) < 4 {
		t.Fatalf("%s: %d folders %v", set, len(dirs), dirs)
	}
	return dirs
}

// TestSigLIPNames: whatever the size of images, the model of timm that a configuration
// names is one that timm has.
func TestSigLIPNames(t *testing.T) {
	known := map[string]string{
		"base_patch16": "224 256 384 512", "base_patch32": "256", "large_patch16": "256 384 512",
		"so400m_patch14": "224 378 384", "so400m_patch16": "256 384 512", "giantopt_patch16": "256 384",
	}
	for _, side := range []int{18, 224, 256, 300, 378, 384, 512} {
		for _, act := range []nn.Activation{nn.GELU, nn.GELUTanh} {
			s := siglipSpec()
			image := s.Vision.(vision.SigLIP)
			image.ImageSize, image.Activation = [2]int{side, side}, act
			s.Vision, s.Preprocess.Size = image, image.ImageSize
			written, err := os.ReadFile(filepath.Join(saved(t, checkpoint.OpenCLIP, s), "open_clip_config.json"))
			if err != nil {
				t.Fatal(err)
			}
			m := regexp.MustCompile(`"timm_model_name": "vit_(\w+)_siglip_(\d+)"`).FindSubmatch(written)
			if m == nil || !slices.Contains(strings.Fields(known[string(m[1])]), string(m[2])) {
				t.Errorf("images of %d pixels, %s: timm has no %s", side, act, m)
			}
		}
	}
}
