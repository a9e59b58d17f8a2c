package checkpoint

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// timmSize is a size of timm's vit_*_siglip_* models.
type timmSize struct {
	name    string // vit_NAME_siglip_ImageSize
	patch   int
	width   int
	layers  int
	heads   int
	ratio   float64 // of the MLP
	act     nn.Activation
	actFrom int   // ImageSize from which on the activation is GELUTanh; 0 for never
	sides   []int // ImageSizes that timm has
}

// timmSizes lists them (timm 1.0.31, vision_transformer.py).
func timmSizes() []timmSize {
	return []timmSize{
		{"base_patch16", 16, 768, 12, 12, 4, nn.GELU, 0, []int{256, 224, 384, 512}},
		{"base_patch32", 32, 768, 12, 12, 4, nn.GELUTanh, 0, []int{256}},
		{"large_patch16", 16, 1024, 24, 16, 4, nn.GELU, 512, []int{256, 384, 512}},
		{"so400m_patch14", 14, 1152, 27, 16, 3.7362, nn.GELU, 0, []int{378, 224, 384}},
		{"so400m_patch16", 16, 1152, 27, 16, 3.7362, nn.GELUTanh, 0, []int{256, 384, 512}},
		{"giantopt_patch16", 16, 1536, 40, 16, 4, nn.GELUTanh, 0, []int{256, 384}},
	}
}

// config is the model of that size for images of the given side.
func (t timmSize) config(side int) vision.SigLIP {
	c := vision.SigLIP{
		ImageSize: [2]int{side, side}, PatchSize: t.patch, Width: t.width, Layers: t.layers, Heads: t.heads,
		MLPRatio: t.ratio, Activation: t.act, NormEps: 1e-6,
	}
	if t.actFrom > 0 && side >= t.actFrom {
		c.Activation = nn.GELUTanh
	}
	return c
}

// timmSigLIPNamed returns the model that timm has under a name.
func timmSigLIPNamed(name string) (c vision.SigLIP, ok bool) {
	rest, ok := strings.CutPrefix(name, "vit_")
	kind, size, found := strings.Cut(rest, "_siglip_")
	side, err := strconv.Atoi(size)
	if !ok || !found || err != nil || side < 1 || side > maxDim {
		return c, false
	}
	for _, t := range timmSizes() {
		if t.name == kind {
			return t.config(side), true
		}
	}
	return c, false
}

// timmSigLIP reads and writes SigLIP's image towers in open_clip's configurations,
// which name a model of timm and what of it is otherwise.
func timmSigLIP() openCLIPTower {
	return openCLIPTower{
		customText: true,
		read: func(o *object, dim int, _ bool) (vision.Config, bool) {
			c, ok := timmSigLIPNamed(o.peek("timm_model_name"))
			if !ok {
				return nil, false
			}
			o.take("timm_model_name")
			timmPool(o, "map")
			o.only("timm_proj", `"none"`)
			timmUnread(o)
			kw := o.object("timm_model_kwargs")
			c.ImageSize = kw.pair("img_size", c.ImageSize)
			c.PatchSize, c.Width = value(kw, "patch_size", c.PatchSize), value(kw, "embed_dim", c.Width)
			c.Layers, c.Heads = value(kw, "depth", c.Layers), value(kw, "num_heads", c.Heads)
			c.MLPRatio = mlpRatio(kw, "mlp_ratio", c.Width, c.MLPRatio)
			if kw.has("act_layer") {
				c.Activation = nn.GELU
				if kw.oneOf("act_layer", "gelu", "gelu", "gelu", "gelu_tanh", "gelu_tanh") == "gelu_tanh" {
					c.Activation = nn.GELUTanh
				}
			}
			kw.none()
			if c.Width != dim {
				o.fail("%s is a tower of width %d without projection, but embed_dim is %d", o.name("timm_model_name"), c.Width, dim)
			}
			return c, true
		},
		write: func(c vision.Config, _ bool) (map[string]any, bool, error) {
			s, ok := c.(vision.SigLIP)
			if !ok {
				return nil, false, nil
			}
			if s.NormEps != 1e-6 || s.Activation == nn.QuickGELU {
				return nil, true, unwritable(OpenCLIP, "a SigLIP image tower of activation %s and epsilon %g", s.Activation, s.NormEps)
			}
			name, base := nearestTimm(s)
			kw := map[string]any{}
			set(kw, "img_size", side(s.ImageSize), s.ImageSize != base.ImageSize)
			set(kw, "patch_size", s.PatchSize, s.PatchSize != base.PatchSize)
			set(kw, "embed_dim", s.Width, s.Width != base.Width)
			set(kw, "depth", s.Layers, s.Layers != base.Layers)
			set(kw, "num_heads", s.Heads, s.Heads != base.Heads)
			ratio := cmp.Or(s.MLPRatio, 4)
			set(kw, "mlp_ratio", openCLIPRatio(s.Width, ratio), ratio != base.MLPRatio)
			m := map[string]any{
				"image_size": side(s.ImageSize), "timm_model_name": name, "timm_model_pretrained": false, "timm_pool": "map", "timm_proj": "none",
			}
			set(m, "timm_model_kwargs", kw, len(kw) > 0)
			return m, true, nil
		},
	}
}

// nearestTimm returns the model of timm from which the fewest settings differ, among
// those of the same activation.
func nearestTimm(s vision.SigLIP) (name string, base vision.SigLIP) {
	most := -1
	for _, t := range timmSizes() {
		for _, side := range t.sides {
			c := t.config(side)
			equal := 0
			for _, same := range []bool{c.ImageSize == s.ImageSize, c.PatchSize == s.PatchSize, c.Width == s.Width,
				c.Layers == s.Layers, c.Heads == s.Heads, c.MLPRatio == cmp.Or(s.MLPRatio, 4)} {
				if same {
					equal++
				}
			}
			if c.Activation == s.Activation && equal > most {
				most, name, base = equal, "vit_"+t.name+"_siglip_"+strconv.Itoa(side), c
			}
		}
	}
	return name, base
}

// hfSigLIP is transformers' SiglipModel, which reads SigLIP 2's models of one size
// too. Its defaults are those of SiglipVisionConfig and SiglipTextConfig.
func hfSigLIP() hfClass {
	return hfClass{
		modelType: "siglip", family: "siglip", names: "siglip_transformers",
		processor: "SiglipImageProcessor",
		read: func(root *object) Spec {
			return Spec{
				Vision: hfSigLIPVision(root.object("vision_config")), Text: hfSigLIPText(root.object("text_config")),
				LogitBias: true, InitLogitScale: sigLogitScale, InitLogitBias: -10,
			}
		},
		write: formatSigLIP,
	}
}

func hfSigLIPVision(v *object) vision.Config {
	v.only("num_channels", "3")
	v.only("vision_use_head", "true")
	image := vision.SigLIP{
		PatchSize: value(v, "patch_size", 16), Width: value(v, "hidden_size", 768),
		Layers: value(v, "num_hidden_layers", 12), Heads: value(v, "num_attention_heads", 12),
		Activation: hfActivation(v, nn.GELUTanh), NormEps: value(v, "layer_norm_eps", 1e-6),
	}
	side := value(v, "image_size", 224)
	image.ImageSize = [2]int{side, side}
	image.MLPRatio = hfRatio(v, image.Width, 3072)
	return image
}

func hfSigLIPText(t *object) text.Config {
	caption := text.Transformer{
		ContextLength: value(t, "max_position_embeddings", 64), VocabSize: value(t, "vocab_size", 32000),
		Width: value(t, "hidden_size", 768), Layers: value(t, "num_hidden_layers", 12), Heads: value(t, "num_attention_heads", 12),
		Activation: hfActivation(t, nn.GELUTanh), NormEps: value(t, "layer_norm_eps", 1e-6),
		Mask: text.MaskNone, Pool: text.PoolLast, Proj: text.ProjLinear,
	}
	caption.MLPRatio = hfRatio(t, caption.Width, 3072)
	caption.EmbedDim = value(t, "projection_size", caption.Width)
	return caption
}

// hfSigLIPConfig is a config.json as it is written.
type hfSigLIPConfig struct {
	Architectures []string    `json:"architectures"`
	ModelType     string      `json:"model_type"`
	Dtype         string      `json:"torch_dtype"`
	Text          hfTextTower `json:"text_config"`
	Vision        hfTower     `json:"vision_config"`
}

type hfTextTower struct {
	hfTower
	ProjectionSize int `json:"projection_size"`
}

func formatSigLIP(s *Spec) ([]byte, error) {
	no := func(what string) ([]byte, error) { return nil, unwritable(HuggingFace, "SiglipModel of %s", what) }
	v := s.Vision.(vision.SigLIP)
	t, plain := s.Text.(text.Transformer)
	switch {
	case !plain:
		return no("a text tower of family " + s.Text.Family())
	case v.ImageSize[0] != v.ImageSize[1]:
		return no("an image tower that is not square")
	case t.Mask != text.MaskNone || t.Pool != text.PoolLast || t.Proj != text.ProjLinear:
		return no("a text tower with mask " + t.Mask.String() + ", pooling " + t.Pool.String() + " and projection " + t.Proj.String())
	case !s.LogitBias:
		return no("a model without logit bias")
	}
	return marshal(hfSigLIPConfig{
		Architectures: []string{"SiglipModel"}, ModelType: "siglip", Dtype: s.dtype,
		Text: hfTextTower{hfTower{
			ModelType: "siglip_text_model", Hidden: t.Width, Intermediate: nn.MLPWidth(t.Width, t.MLPRatio),
			Layers: t.Layers, Heads: t.Heads, Activation: hfActivationName(t.Activation), NormEps: t.NormEps,
			MaxPositions: t.ContextLength, VocabSize: t.VocabSize,
		}, t.EmbedDim},
		Vision: hfTower{
			ModelType: "siglip_vision_model", Hidden: v.Width, Intermediate: nn.MLPWidth(v.Width, v.MLPRatio),
			Layers: v.Layers, Heads: v.Heads, Activation: hfActivationName(v.Activation), NormEps: v.NormEps,
			ImageSize: v.ImageSize[0], PatchSize: v.PatchSize, Channels: 3,
		},
	})
}

// publishedSigLIP are open_clip's configurations of SigLIP and SigLIP 2.
func publishedSigLIP() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, p := range sigPublications() {
		all[p.name] = p.spec
	}
	return all
}

// sigPublication is one of open_clip's configurations of SigLIP and SigLIP 2.
type sigPublication struct {
	name      string
	timm      string // vit_…
	vocab     int
	tokenizer string // timm/…
	context   int
	dim       int // of the text tower
	layers    int
	heads     int
	ratio     float64
	act       nn.Activation
	proj      text.Proj
}

func sigPublications() []sigPublication {
	var all []sigPublication
	add := func(name, timm, tokenizer string, vocab int, act nn.Activation) {
		p := sigPublication{name, timm, vocab, "timm/" + tokenizer, 64, 768, 12, 12, 4, act, text.ProjLinear}
		switch {
		case strings.Contains(timm, "large"):
			p.dim, p.layers, p.heads = 1024, 24, 16
		case strings.Contains(timm, "so400m"), strings.Contains(timm, "giantopt"):
			p.dim, p.layers, p.heads, p.ratio = 1152, 27, 16, 3.7362
		}
		all = append(all, p)
	}
	// SigLIP's tokenizer is one for all sizes, SigLIP 2's is in each model's folder.
	for _, m := range [][2]string{
		{"ViT-B-16-SigLIP", "base_patch16_siglip_224"}, {"ViT-B-16-SigLIP-256", "base_patch16_siglip_256"},
		{"ViT-B-16-SigLIP-384", "base_patch16_siglip_384"}, {"ViT-B-16-SigLIP-512", "base_patch16_siglip_512"},
		{"ViT-L-16-SigLIP-256", "large_patch16_siglip_256"}, {"ViT-L-16-SigLIP-384", "large_patch16_siglip_384"},
		{"ViT-SO400M-14-SigLIP", "so400m_patch14_siglip_224"}, {"ViT-SO400M-14-SigLIP-378", "so400m_patch14_siglip_378"},
		{"ViT-SO400M-14-SigLIP-384", "so400m_patch14_siglip_384"},
	} {
		add(m[0], "vit_"+m[1], "ViT-B-16-SigLIP", 32000, nn.GELU)
	}
	add("ViT-B-16-SigLIP-i18n-256", "vit_base_patch16_siglip_256", "ViT-B-16-SigLIP-i18n-256", 250000, nn.GELU)
	add("ViT-SO400M-16-SigLIP-i18n-256", "vit_so400m_patch16_siglip_256", "ViT-B-16-SigLIP-i18n-256", 250000, nn.GELU)
	for _, m := range [][2]string{
		{"ViT-B-16-SigLIP2", "base_patch16_siglip_224"}, {"ViT-B-16-SigLIP2-256", "base_patch16_siglip_256"},
		{"ViT-B-16-SigLIP2-384", "base_patch16_siglip_384"}, {"ViT-B-16-SigLIP2-512", "base_patch16_siglip_512"},
		{"ViT-B-32-SigLIP2-256", "base_patch32_siglip_256"}, {"ViT-L-16-SigLIP2-256", "large_patch16_siglip_256"},
		{"ViT-L-16-SigLIP2-384", "large_patch16_siglip_384"}, {"ViT-L-16-SigLIP2-512", "large_patch16_siglip_512"},
		{"ViT-SO400M-14-SigLIP2", "so400m_patch14_siglip_224"}, {"ViT-SO400M-14-SigLIP2-378", "so400m_patch14_siglip_378"},
		{"ViT-SO400M-16-SigLIP2-256", "so400m_patch16_siglip_256"}, {"ViT-SO400M-16-SigLIP2-384", "so400m_patch16_siglip_384"},
		{"ViT-SO400M-16-SigLIP2-512", "so400m_patch16_siglip_512"},
		{"ViT-gopt-16-SigLIP2-256", "giantopt_patch16_siglip_256"}, {"ViT-gopt-16-SigLIP2-384", "giantopt_patch16_siglip_384"},
	} {
		add(m[0], "vit_"+m[1], m[0], 256000, nn.GELUTanh)
	}
	for i := range all {
		switch all[i].name {
		case "ViT-SO400M-14-SigLIP":
			all[i].context = 16
		case "ViT-SO400M-16-SigLIP-i18n-256":
			all[i].proj = text.ProjNone
		}
	}
	return all
}

// sigPreprocess is how SigLIP prepares images.
func sigPreprocess(side int) vision.Preprocess {
	half := [3]float32{0.5, 0.5, 0.5}
	return vision.Preprocess{Size: [2]int{side, side}, Resize: vision.ResizeSquash, Mean: half, Std: half}
}

func (p *sigPublication) spec() Spec {
	image, _ := timmSigLIPNamed(p.timm) // the table's names are timm's
	preprocess := sigPreprocess(image.ImageSize[0])
	return Spec{
		Layout: OpenCLIP, InitLogitScale: clipLogitScale, LogitBias: true, InitLogitBias: -10,
		Vision: image,
		Text: text.Transformer{
			ContextLength: p.context, VocabSize: p.vocab, Width: p.dim, Layers: p.layers, Heads: p.heads, EmbedDim: image.Width,
			MLPRatio: p.ratio, Activation: p.act, NormEps: 1e-6, Mask: text.MaskNone, Pool: text.PoolLast, Proj: p.proj,
		},
		Preprocess: &preprocess,
		CustomText: true, HFTokenizer: p.tokenizer, TextClean: "canonicalize",
	}
}
