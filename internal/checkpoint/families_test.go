package checkpoint_test

import (
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// familyCases are open_clip's configurations of the families of image towers beside
// CLIP's and SigLIP's, and the small models of the same family.
func familyCases() []familyCase {
	const gelu, one, tenth = "trunk.blocks.N.mlp.act: gelu_erf", "LayerNorm eps=1e-05", "LayerNorm eps=1e-06"
	const tanh = "trunk.blocks.N.mlp.act: gelu_tanh"
	const silu, clip = "trunk.blocks.N.mlp: silu gate (SwiGLU)", "transformer.resblocks.N.mlp.gelu: gelu_erf"
	const quick = "transformer.resblocks.N.mlp.gelu: quick_gelu"
	const glu = "trunk.blocks.N.mlp: silu gate (GluMlp)"
	const conv, batch = "trunk.stages.N.blocks.N.mlp.act: gelu_erf", "BatchNormAct2d eps=1e-05"
	return []familyCase{
		{"MobileCLIP2-L-14", gelu, one, []string{"mobileclip2_l14_f16"}},
		{"PE-Core-T-16-384", gelu, one, nil},
		{"PE-Core-S-16-384", gelu, one, nil},
		{"PE-Core-B-16", gelu, one, []string{"pe_core_b16_f32"}},
		{"PE-Core-L-14-336", gelu, one, []string{"pe_core_l14_nonsquare_f16"}},
		{"PE-Core-bigG-14-448", gelu, one, []string{"pe_core_bigg14_f16"}},
		{"EVA01-g-14", gelu, tenth, []string{"eva01_g14_f16"}},
		{"EVA01-g-14-plus", gelu, tenth, nil},
		{"EVA02-E-14", gelu, tenth, []string{"eva02_e14_f16"}},
		{"EVA02-E-14-plus", gelu, tenth, nil},
		{"EVA02-B-16", silu, tenth, []string{"eva02_b16_f32"}},
		{"EVA02-L-14", silu, tenth, nil},
		{"EVA02-L-14-336", silu, tenth, []string{"eva02_l14_336_nonsquare_f16"}},
		{"MobileCLIP-B", gelu, tenth, nil},
		{"MobileCLIP2-B", gelu, tenth, nil},
		{"vit_medium_patch16_gap_256", gelu, tenth, []string{"vit_medium_gap_f16"}},
		{"vit_relpos_medium_patch16_cls_224", gelu, tenth, []string{"vit_relpos_f16"}},
		{"ViT-M-16-alt", clip, one, []string{"vit_m16_alt_f16"}},
		{"convnext_tiny", conv, tenth, nil},
		{"convnext_small", conv, tenth, nil},
		{"convnext_base", conv, tenth, []string{"convnext_base_f32"}},
		{"convnext_base_w", conv, tenth, nil},
		{"convnext_base_w_320", conv, tenth, nil},
		{"convnext_large", conv, tenth, nil},
		{"convnext_large_d", conv, tenth, []string{"convnext_large_d_f16"}},
		{"convnext_large_d_320", conv, tenth, nil},
		{"convnext_xlarge", conv, tenth, nil},
		{"convnext_xxlarge", conv, one, []string{"convnext_xxlarge_odd_f16"}},
		{"convnext_xxlarge_320", conv, one, nil},
		{"MobileCLIP-S1", conv, batch, []string{"mobileclip_s1_odd_f16"}},
		{"MobileCLIP-S2", conv, batch, nil},
		{"MobileCLIP2-S0", conv, batch, []string{"mobileclip2_s0_f32"}},
		{"MobileCLIP2-S2", conv, batch, nil},
		{"MobileCLIP2-S3", conv, "LayerNorm2d eps=1e-05", []string{"mobileclip2_s3_f16"}},
		{"MobileCLIP2-S4", conv, "LayerNorm2d eps=1e-05", nil},
		{"ViTamin-S", gelu, tenth, nil},
		{"ViTamin-S-LTT", gelu, tenth, nil},
		{"ViTamin-B", gelu, tenth, nil},
		{"ViTamin-B-LTT", gelu, tenth, nil},
		{"ViTamin-L", gelu, tenth, nil},
		{"ViTamin-L-256", gelu, tenth, nil},
		{"ViTamin-L-336", gelu, tenth, nil},
		{"ViTamin-L-384", gelu, tenth, nil},
		{"ViTamin-L2", gelu, tenth, nil},
		{"ViTamin-L2-256", gelu, tenth, nil},
		{"ViTamin-L2-336", gelu, tenth, nil},
		{"ViTamin-L2-384", gelu, tenth, nil},
		{"ViTamin-XL-256", gelu, tenth, nil},
		{"ViTamin-XL-336", gelu, tenth, nil},
		{"ViTamin-XL-384", gelu, tenth, nil},
		{"swin_base_patch4_window7_224", "trunk.layers.N.blocks.N.mlp.act: gelu_erf", one, []string{"swin_f16"}},
		{"naflex_ViT-B-16", gelu, tenth, []string{"naflex_b16_f32"}},
		{"naflex_ViT-B-32", gelu, tenth, nil},
		{"ViT-B-16-SigLIP2-naflex", tanh, tenth, []string{"siglip2_naflex_up_f16"}},
		{"ViT-SO400M-16-SigLIP2-naflex", tanh, tenth, []string{"siglip2_naflex_down_f16"}},
		{"ViT-L-14-CLIPA", clip, one, []string{"clipa_l14_f16"}},
		{"ViT-L-14-CLIPA-336", clip, one, nil},
		{"ViT-H-14-CLIPA", clip, one, nil},
		{"ViT-H-14-CLIPA-336", clip, one, nil},
		{"ViT-bigG-14-CLIPA", clip, one, nil},
		{"ViT-bigG-14-CLIPA-336", clip, one, nil},
		{"roberta-ViT-B-32", quick, one, []string{"roberta_f16"}},
		{"xlm-roberta-base-ViT-B-32", clip, one, []string{"xlmr_base_f32"}},
		{"xlm-roberta-large-ViT-H-14", clip, one, nil},
		{"mt5-base-ViT-B-32", clip, one, []string{"mt5_base_f32", "mt5_base_long_f16"}},
		{"mt5-xl-ViT-H-14", clip, one, nil},
		{"nllb-clip-base", clip, one, []string{"nllb_clip_base_f32"}},
		{"nllb-clip-large", clip, one, nil},
		{"nllb-clip-base-siglip", gelu, tenth, []string{"nllb_clip_base_siglip_f16"}},
		{"nllb-clip-large-siglip", gelu, tenth, nil},
		{"gte-modernbert-base-ViT-B-32-256", clip, one, []string{"gte_modernbert_f16"}},
		{"moderntext-naflex_ViT-B-16", glu, tenth, []string{"moderntext_naflex_b16_f16"}},
		{"moderntext-naflex_ViT-B-32", glu, tenth, nil},
		{"moderntext-naflex_ViT-B-deep-16", glu, tenth, nil},
		{"moderntext-naflex_ViT-SO150M2-16", gelu, tenth, nil},
		{"moderntext-ViT-B-32-256", clip, one, []string{"moderntext_b32_f16"}},
		{"coca_base", clip, one, []string{"coca_base_f16"}},
		{"coca_ViT-B-32", clip, one, []string{"coca_b32_f16"}},
		{"coca_ViT-L-14", clip, one, nil},
		{"coca_roberta-ViT-B-32", clip, one, []string{"coca_roberta_f16"}},
	}
}

type familyCase struct {
	name       string
	activation string // of the MLPs, as the manifests say it
	norm       string
	small      []string
}

// TestFamilyManifests: the image towers have the heads, activations and norms of
// open_clip's.
func TestFamilyManifests(t *testing.T) {
	all := manifests(t)
	for _, c := range familyCases() {
		i := slices.IndexFunc(all, func(m manifest) bool { return m.Name == c.name })
		s, ok := checkpoint.ConfigByName(c.name)
		if i < 0 || !ok {
			t.Errorf("%s: manifest %d, known %t", c.name, i, ok)
			continue
		}
		m := all[i]
		if heads := reflect.ValueOf(s.Vision).FieldByName("Heads"); m.TrunkHeads > 0 && (!heads.IsValid() || int(heads.Int()) != m.TrunkHeads) {
			t.Errorf("%s: %v heads, want %d", c.name, heads, m.TrunkHeads)
		}
		if m.VisionActivations["visual."+c.activation] == 0 || m.VisionNorms[c.norm] == 0 {
			t.Errorf("%s: activation %s, norm %s, want %v, %v", c.name, c.activation, c.norm, m.VisionActivations, m.VisionNorms)
		}
	}
}

// TestFamilyFeatures holds the families to their references.
func TestFamilyFeatures(t *testing.T) {
	for _, c := range familyCases() {
		for _, name := range c.small {
			t.Run(name, func(t *testing.T) {
				_, m := open(t, golden.Shared(t, "families", "checkpoints", name), nil)
				referenceFeatures(t, m, golden.Shared(t, "families", "activations", name+".safetensors"))
			})
		}
	}
}

// TestFamilySaveOpen: what is saved is read back bit for bit, and the configuration with
// it.
func TestFamilySaveOpen(t *testing.T) {
	for _, c := range familyCases() {
		for _, name := range c.small {
			t.Run(name, func(t *testing.T) {
				f, m := open(t, golden.Shared(t, "families", "checkpoints", name), nil)
				s := f.Spec()
				for _, layout := range []string{checkpoint.OpenCLIP, checkpoint.Own} {
					dir := filepath.Join(t.TempDir(), layout)
					if _, err := checkpoint.Save(dir, layout, s, m.params(), nil); err != nil {
						t.Fatal(err)
					}
					g, got := open(t, dir, nil)
					if g.Spec().Vision != s.Vision || g.Spec().Text != s.Text {
						t.Errorf("%s: got %+v, want %+v", layout, g.Spec(), s)
					}
					sameParams(t, got.params(), m.params())
				}
			})
		}
	}
}

// TestFamilyRefusals: what timm's models would compute otherwise is refused by name.
func TestFamilyRefusals(t *testing.T) {
	const cfg = `"embed_dim": 48, "vision_cfg": {"timm_model_name": `
	for config, want := range map[string]string{
		`"vit_large_patch14_clip_224", "timm_pool": "token"}`:                                                                        "vision_cfg.timm_proj is not null",
		`"vit_large_patch14_clip_224", "timm_proj": null}`:                                                                           `vision_cfg.timm_pool is "avg", which is not supported`,
		`"vit_pe_core_base_patch16_224", "timm_proj": null, "timm_pool": "token"}`:                                                   `vision_cfg.timm_pool is "token", which is not supported`,
		`"vit_base_mci_224", "timm_proj": null, "timm_pool": "token", "timm_model_kwargs": {"embed_dim": 64}}`:                       "not supported: vision_cfg.timm_model_kwargs.embed_dim",
		`"eva02_base_patch16_clip_224", "timm_proj": null, "timm_pool": "token", "timm_model_kwargs": {"ref_feat_shape": [14, 14]}}`: "not supported: vision_cfg.timm_model_kwargs.ref_feat_shape",
		`"vit_medium_patch16_gap_256", "timm_proj": "mlp", "timm_pool": ""}`:                                                         `vision_cfg.timm_proj is "mlp", which is not supported`,
		`"vit_medium_patch16_gap_256", "timm_proj": null, "timm_pool": ""}`:                                                          "vision_cfg.timm_proj is null, which is not supported",
		`"vit_pe_core_base_patch16_224", "timm_proj": null, "timm_pool": ""}`:                                                        `vision_cfg.timm_pool is "", which is not supported; known are map`,
		`"vit_base_mci_224", "timm_proj": null, "timm_pool": ""}`:                                                                    `vision_cfg.timm_pool is "", which is not supported`,
		`"fastvit_mci0", "timm_proj": null, "timm_pool": ""}`:                                                                        `vision_cfg.timm_pool is "", which is not supported`,
		`"vit_base_patch16_siglip_224", "timm_proj": "none", "timm_pool": ""}`:                                                       `vision_cfg.timm_pool is "", which is not supported`,
		`"vit_base_patch16_siglip_224", "timm_proj": "mlp", "timm_pool": "map"}`:                                                     `vision_cfg.timm_proj is "mlp", which is not supported`,
		`"naflexvit_base_patch16_siglip", "timm_proj": "none", "timm_pool": ""}`:                                                     `vision_cfg.timm_pool is "", which is not supported`,
		`"convnext_base", "timm_proj": "linear", "timm_proj_bias": true}`:                                                            `vision_cfg.timm_proj_bias is true, which is not supported`,
		`"vitamin_small_224", "timm_proj": "linear", "timm_proj_bias": true}`:                                                        `vision_cfg.timm_proj_bias is true, which is not supported`,
		`"eva02_tiny_patch14_224"}`: `vision_cfg.timm_model_name is "eva02_tiny_patch14_224", which is not supported`,
	} {
		_, err := checkpoint.Read(strings.NewReader("{"+cfg+config+"}"), checkpoint.Vocabulary{Size: 10, End: 9})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got error %v,\nwant %s", config, err, want)
		}
	}
}

// TestMLPWidths: an MLP is as wide as Python makes it of a ratio, whatever rounding does to
// the product, and a ratio that is written gives the width again.
func TestMLPWidths(t *testing.T) {
	for _, ratio := range []float64{4.35, 1.1, 2.3, 4, 8.0 / 3, 3.7362, 0.29, 1.15} {
		for width := 1; width <= 600; width++ {
			stages := [4]int{width, 2 * width, 4 * width, 8 * width} // of which all have one ratio
			config := fmt.Sprintf(`{"embed_dim": 8, "vision_cfg": {"timm_model_name": "swin_base_patch4_window7_224", "timm_pool": "",
				"timm_model_kwargs": {"embed_dim": %d, "num_heads": [1, 1, 1, 1], "mlp_ratio": %v}}}`, width, ratio)
			s, err := checkpoint.Read(strings.NewReader(config), checkpoint.Vocabulary{Size: 10, End: 9})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range stages {
				want := int(float64(w) * ratio)
				if got := nn.MLPWidth(w, s.Vision.(vision.Swin).MLPRatio); got != want {
					t.Fatalf("ratio %g of width %d in a tower of %d: got %d, want %d", ratio, w, width, got, want)
				}
			}
		}
	}
}

// referenceFeatures compares features and logits with those in a file, to 1e-5 of the
// largest feature.
func referenceFeatures(t *testing.T, m *model, path string) {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := activations{t, f}
	pixels, shape := a.floats("pixel_values")
	compareFeatures(t, m, a, pixels, shape)
}

func compareFeatures(t *testing.T, m *model, a activations, pixels []float32, shape []int) {
	t.Helper()
	want, _ := a.floats("image_features")
	images := m.encodeImages(t, pixels, shape...)
	near(t, "image_features", images, want, 1e-5*largest(want))
	t.Logf("image_features: %.1e of the largest", furthest(images, want)/largest(want))
	ids, n, length := a.ids()
	want, _ = a.floats("text_features")
	texts := m.encodeTexts(t, ids, n, length)
	near(t, "text_features", texts, want, 1e-5*largest(want))
	t.Logf("text_features: %.1e of the largest", furthest(texts, want)/largest(want))
	want, _ = a.floats("logits_per_image")
	near(t, "logits_per_image", m.logits(images, texts, m.text.Config().Dims().EmbedDim), want, 1e-4)
}

func furthest(a, b []float32) (d float64) {
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}
