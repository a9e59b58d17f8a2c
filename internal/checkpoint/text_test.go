package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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

// TestTextManifests: the text towers of all of open_clip's configurations have its names
// and shapes, captioners included. Image towers are not looked at.
func TestTextManifests(t *testing.T) {
	for _, m := range manifests(t)[1:] {
		var config map[string]json.RawMessage
		if err := json.Unmarshal(m.Config, &config); err != nil {
			t.Fatal(err)
		}
		config["vision_cfg"] = json.RawMessage(`{"layers": 1}`)
		b, err := json.Marshal(map[string]any{"model_cfg": config})
		if err != nil {
			t.Fatal(err)
		}
		s, err := checkpoint.ParseOpenCLIP(b)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		tower, err := s.Text.New()
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		want := maps.Clone(m.Tensors)
		maps.DeleteFunc(want, func(name string, _ []int) bool {
			return strings.HasPrefix(name, "visual.") || strings.HasPrefix(name, "logit_")
		})
		for _, p := range append(tower.Params(), s.Captioner.Params()...) {
			name := p.Name
			if m.Class != "CLIP" && !strings.HasPrefix(name, "text_decoder.") {
				name = "text." + name
			}
			if shape, ok := want[name]; !ok || !slices.Equal(shape, p.Shape) {
				t.Errorf("%s: %s has %v, want %v (there: %t)", m.Name, name, p.Shape, shape, ok)
			}
			delete(want, name)
		}
		for name := range want {
			t.Errorf("%s: no parameter is %s", m.Name, name)
		}
		for key, norm := range map[string]string{"1e-05": "eps=1e-05", "1e-06": "eps=1e-06"} {
			has := slices.ContainsFunc(slices.Collect(maps.Keys(m.TextNorms)), func(n string) bool { return strings.HasSuffix(n, norm) })
			if got := strings.Contains(fmt.Sprintf("%+v", s.Text), "NormEps:"+key); got != has {
				t.Errorf("%s: %+v, want norms %v", m.Name, s.Text, m.TextNorms)
			}
		}
	}
}

// TestModernTextFeatures holds the modern tower with map pooling to its reference, whose
// image tower is not looked at.
func TestModernTextFeatures(t *testing.T) {
	dir := golden.Shared(t, "families", "checkpoints", "moderntext_naflex_b16_f16")
	var config struct {
		Model struct {
			EmbedDim int             `json:"embed_dim"`
			Vision   json.RawMessage `json:"vision_cfg"`
			Text     json.RawMessage `json:"text_cfg"`
		} `json:"model_cfg"`
	}
	decode(t, filepath.Join(dir, "open_clip_config.json"), &config)
	config.Model.Vision = json.RawMessage(`{}`)
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	s, err := checkpoint.ParseOpenCLIP(b)
	if err != nil {
		t.Fatal(err)
	}
	m := blank(t, s)
	weights, err := safetensors.Open(filepath.Join(dir, "open_clip_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer weights.Close()
	for _, p := range m.text.Params() {
		p.Data, _ = activations{t, weights}.floats("text." + p.Name)
	}
	f, err := safetensors.Open(golden.Shared(t, "families", "activations", "moderntext_naflex_b16_f16.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := activations{t, f}
	ids, n, length := a.ids()
	want, _ := a.floats("text_features")
	got := m.encodeTexts(t, ids, n, length)
	near(t, "text_features", got, want, 1e-5*largest(want))
	t.Logf("text_features: %.1e of the largest", furthest(got, want)/largest(want))
}

// hfSpecs are models of transformers' two-tower classes.
func hfSpecs() map[string]checkpoint.Spec {
	image := vision.ViT{
		ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 2, Heads: 3, EmbedDim: 10, MLPRatio: 2.5,
		Activation: nn.QuickGELU, NormEps: 1e-5, Pool: vision.PoolClass,
	}
	pooled := vision.PlainViT{
		Pooler:    true,
		ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 2, Heads: 3, EmbedDim: 10, MLPRatio: 2.5, Activation: nn.GELU, NormEps: 1e-12,
	}
	e := text.Encoder{
		ContextLength: 9, VocabSize: 20, Width: 8, Layers: 2, Heads: 2, MLPWidth: 14, EmbedDim: 10, NormEps: 1e-12,
		Padding: text.PaddingTail, Pool: text.PoolFirst, Head: text.HeadLinear,
	}
	dual, roberta := e, e
	dual.Pool, roberta.Pool, roberta.PadID = text.PoolTanh, text.PoolTanh, 1
	alt := e
	alt.PadID = 1
	clip := text.Transformer{
		ContextLength: 6, VocabSize: 20, Width: 8, Layers: 1, Heads: 2, EmbedDim: 10, MLPRatio: 4,
		Activation: nn.QuickGELU, NormEps: 1e-5, Mask: text.MaskCausal, Pool: text.PoolEOS, EOSTokenID: 2,
	}
	spec := func(v vision.Config, x text.Config, tokenizer string) checkpoint.Spec {
		return checkpoint.Spec{Vision: v, Text: x, Preprocess: vision.CLIPPreprocess(16), InitLogitScale: 2.6592, HFTokenizer: tokenizer}
	}
	return map[string]checkpoint.Spec{
		"MetaClip2Model":   spec(image, clip, "facebook/xlm-v-base"),
		"ChineseCLIPModel": spec(image, text.BERT{Encoder: e, Activation: nn.GELU, Positions: 9, TokenTypes: 2, ZeroPad: true}, ""),
		"AltCLIPModel":     spec(image, text.BERT{Encoder: alt, Activation: nn.GELU, Positions: 11, TokenTypes: 1, Counted: true, Transform: 7}, ""),
		"VisionTextDualEncoderModel of CLIP and RoBERTa": spec(image, text.BERT{
			Encoder: roberta, Activation: nn.GELU, Positions: 11, TokenTypes: 1, Counted: true}, ""),
		"VisionTextDualEncoderModel of ViT and BERT": spec(pooled, text.BERT{Encoder: dual, Activation: nn.GELU, Positions: 9, TokenTypes: 2}, ""),
	}
}

// TestHFClassesSaveOpen: what is saved as a class of transformers names that class, and is
// read back bit for bit; so it is in goclip's own layout.
func TestHFClassesSaveOpen(t *testing.T) {
	for name, s := range hfSpecs() {
		for _, layout := range []string{checkpoint.HuggingFace, checkpoint.Own} {
			t.Run(name+" "+layout, func(t *testing.T) {
				dir := saved(t, layout, s)
				c, m := open(t, dir, nil)
				if got := c.Spec(); got.Vision != s.Vision || got.Text != s.Text || *got.Preprocess != *s.Preprocess {
					t.Errorf("got %+v, want %+v", got, s)
				}
				sameParams(t, m.params(), random(t, s).params())
				if layout == checkpoint.Own {
					return
				}
				var config struct{ Architectures []string }
				decode(t, filepath.Join(dir, "config.json"), &config)
				if class, _, _ := strings.Cut(name, " "); !slices.Equal(config.Architectures, []string{class}) {
					t.Errorf("architectures are %q", config.Architectures)
				}
			})
		}
	}
}

// TestEncoderSaveOpen: encoders of other settings than the published ones are written as
// open_clip has them, and read back.
func TestEncoderSaveOpen(t *testing.T) {
	base := hfSpecs()["ChineseCLIPModel"]
	e := base.Text.(text.BERT).Encoder
	e.Padding, e.Pool, e.Head, e.PadID, e.NormEps = text.PaddingIDs, text.PoolMean, text.HeadMLP, 1, 1e-5
	tanh, first, same := e, e, e
	tanh.Pool, tanh.Head = text.PoolTanh, text.HeadLinear
	first.Pool, first.Head = text.PoolFirst, text.HeadLinear
	same.Head, same.Width, same.Pool = text.HeadNone, 10, text.PoolMax
	mt5, modern := e, e
	mt5.NormEps, modern.PadID = 1e-6, 3
	for name, c := range map[string]text.Config{
		"roberta":    text.BERT{Encoder: e, Activation: nn.GELU, Positions: 20, TokenTypes: 1, Counted: true},
		"bert":       text.BERT{Encoder: tanh, Activation: nn.GELUTanh, Positions: 20, TokenTypes: 2},
		"projection": text.BERT{Encoder: same, Activation: nn.GELU, Positions: 20, TokenTypes: 1, Counted: true},
		"nllb":       text.M2M100{Encoder: first, ScaleEmbedding: true},
		"mt5":        text.T5{Encoder: mt5, HeadWidth: 6, Buckets: 8, MaxDistance: 20, Gated: true},
		"modernbert": text.ModernBERT{Encoder: modern, GlobalEvery: 2, Window: 4, GlobalBase: 1000, LocalBase: 100},
		"modern": text.Modern{
			ContextLength: 9, VocabSize: 20, Width: 8, Layers: 1, Heads: 2, EmbedDim: 10, MLPRatio: 2.6666667, NormEps: 1e-6, RotaryBase: 500, QKNorm: true,
			Mask: text.MaskPadding, Pool: text.PoolMap, PadID: 3, Head: text.HeadBias,
		},
		"coca": text.CoCa{
			ContextLength: 9, VocabSize: 20, Width: 8, Layers: 1, Heads: 2, EmbedDim: 10, MLPRatio: 3, Activation: nn.QuickGELU, NormEps: 1e-5, PadID: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := base
			s.Text, s.CustomText = c, true
			s.Captioner = text.Captioner{}
			if name == "coca" {
				s.Captioner = text.Captioner{ContextLength: 9, VocabSize: 20, Width: 12, Layers: 2, Heads: 3}
			}
			if name == "modern" {
				s.Tiktoken, s.BOSTokenID = "r50k_base", 7
			}
			if image := s.Vision.(vision.ViT); name != "coca" {
				image.Activation = nn.GELU
				s.Vision = image
			}
			f, m := open(t, saved(t, checkpoint.OpenCLIP, s), nil)
			if got := f.Spec(); got.Vision != s.Vision || got.Text != s.Text || got.Captioner != s.Captioner ||
				got.Tiktoken != s.Tiktoken || got.BOSTokenID != s.BOSTokenID || !got.CustomText {
				t.Errorf("got %+v, want %+v", got, s)
			}
			sameParams(t, m.params(), random(t, s).params())
		})
	}
}

// TestTextRefusals: what a layout has no place for, and what a text tower would compute
// otherwise, is refused by name.
func TestTextRefusals(t *testing.T) {
	specs := hfSpecs()
	for name, c := range map[string]struct {
		layout, want string
		change       func(s *checkpoint.Spec)
	}{
		"tail": {checkpoint.OpenCLIP, "no place for the text tower's padding tail", func(*checkpoint.Spec) {}},
		"bias": {checkpoint.OpenCLIP, "no place for the text tower's projection linear_bias", func(s *checkpoint.Spec) {
			encoder(s, func(e *text.Encoder) { e.Head, e.Padding = text.HeadBias, text.PaddingIDs })
		}},
		"longer": {checkpoint.HuggingFace, "an image tower of family vit beside a text tower of family bert", func(s *checkpoint.Spec) { encoder(s, func(e *text.Encoder) { e.ContextLength = 5 }) }},
		"mean":   {checkpoint.HuggingFace, "an image tower of family vit beside a text tower of family bert", func(s *checkpoint.Spec) { encoder(s, func(e *text.Encoder) { e.Pool = text.PoolMean }) }},
	} {
		s := specs["ChineseCLIPModel"]
		c.change(&s)
		if err := checkpoint.Writable(c.layout, s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %s", name, err, c.want)
		}
	}
	for cfg, want := range map[string]string{
		`"hf_model_name": "gpt2"`:                                                             `text_cfg.hf_model_name is "gpt2", which is not supported; known are roberta-base`,
		`"hf_model_name": "distilbert-base-multilingual-cased"`:                               "which is not supported",
		`"hf_model_name": "roberta-base", "hf_pooler_type": "last"`:                           `text_cfg.hf_pooler_type is "last", which is not supported`,
		`"hf_model_name": "roberta-base", "hf_proj_type": "clap_mlp"`:                         `text_cfg.hf_proj_type is "clap_mlp", which is not supported; known are mlp, linear`,
		`"hf_model_name": "roberta-base", "hf_model_config": {"hidden_act": "relu"}`:          `text_cfg.hf_model_config.hidden_act is "relu", which is not supported; known are quick_gelu, gelu, gelu_pytorch_tanh, gelu_new`,
		`"hf_model_name": "roberta-base", "hf_proj_type": null`:                               "EmbedDim is 16, want Width 768 where Head is none",
		`"hf_model_name": "google/mt5-base", "hf_model_config": {"feed_forward_proj": "new"}`: `feed_forward_proj is "new", which is not supported`,
		`"text_arch": "modern", "pool_type": "last"`:                                          `text_cfg.pool_type is "last", which is not supported`,
		`"text_arch": "modern", "eos_id": 1, "mlp_type": "relu2"`:                             `text_cfg.mlp_type is "relu2", which is not supported`,
		`"text_arch": "modern", "eos_id": 1, "reg_tokens": 4`:                                 "text_cfg.reg_tokens is 4, which is not supported",
		`"text_arch": "modern"`:                                                               "text_cfg.eos_id is missing",
		`"embed_cls": true, "proj_type": "none"`:                                              `text_cfg.proj_type is "none", which is not supported`,
		`"variable_text": true`:                                                               "text_cfg.variable_text is true, which is not supported",
	} {
		s, err := checkpoint.ParseOpenCLIP([]byte(`{"model_cfg": {"embed_dim": 16, "vision_cfg": {"layers": 1}, "text_cfg": {` + cfg + `}}}`))
		if err == nil {
			err = s.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got error %v,\nwant %s", cfg, err, want)
		}
	}
}

// encoder changes the encoder of a model with a BERT.
func encoder(s *checkpoint.Spec, change func(e *text.Encoder)) {
	b := s.Text.(text.BERT)
	change(&b.Encoder)
	s.Text = b
}

// TestFolderRefusals: folders of text towers whose shape or steps are not known.
func TestFolderRefusals(t *testing.T) {
	for _, c := range []struct{ from, file, old, new, want string }{
		{"mclip", "config.json", `"base"`, `"unknown"`, `modelBase is "unknown", whose shape is not known; known are roberta-base`},
		{"mclip", "config.json", `"base"`, `"../mclip/base"`, `modelBase is "../mclip/base", whose shape is not known`},
		{"mclip", "base/config.json", `"xlm-roberta"`, `"t5"`, `modelBase names a model of type "t5", which is not supported`},
		{"st_multilingual", "modules.json", `"1_Pooling"`, `"../1_Pooling"`, `step 1 lies in "../1_Pooling", outside the folder`},
		{"st_multilingual", "modules.json", `dense.Dense`, `asym.Asym`, "step 2 is a Asym in \"2_Dense\", which is not supported"},
		{"st_multilingual", "config.json", `"distilbert"`, `"mpnet"`, `model_type is "mpnet", which is not supported`},
		{"st_multilingual", "1_Pooling/config.json", `"mean"`, `"weightedmean"`, `pooling_mode is "weightedmean", which is not supported`},
		{"st_multilingual_old", "1_Pooling/config.json", `"pooling_mode_max_tokens": false`, `"pooling_mode_max_tokens": true`, "pools by"},
		{"st_multilingual", "2_Dense/config.json", `linear.Identity`, `activation.ReLU`, "activation_function"},
	} {
		t.Run(c.file+" "+c.new, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), c.from)
			if err := os.CopyFS(dir, os.DirFS(golden.Shared(t, "families_hf", "checkpoints", c.from))); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, filepath.FromSlash(c.file))
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(b, []byte(c.old)) {
				t.Fatalf("%s has no %s", c.file, c.old)
			}
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, bytes.Replace(b, []byte(c.old), []byte(c.new), 1), 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := checkpoint.Open(dir, nil)
			if err == nil {
				f.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %s", err, c.want)
			}
		})
	}
}
