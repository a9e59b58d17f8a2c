package checkpoint

import (
	"cmp"
	"io"
	"math"
	"slices"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// parseOpenCLIP reads an open_clip_config.json. Absent fields have the defaults
// of CLIPVisionCfg, CLIPTextCfg and PreprocessCfg at open_clip 89fb801; a field
// of the model that those lack is refused, as it is there.
//
// Settings that open_clip lacks are read and written too: text_cfg.pool_type
// "mean", text_cfg.pad_mask and vision_cfg.no_class_token, which open_clip
// refuses, and preprocess_cfg.ground, which it passes over.
func parseOpenCLIP(config []byte) (Spec, error) {
	root := parseObject(config)
	s := openCLIPModel(root.object("model_cfg"))
	s.Preprocess = openCLIPPreprocess(root.object("preprocess_cfg"), s.Vision.ImageSize)
	if err := root.err(); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// Read reads an open_clip_config.json, or one of open_clip's model_configs,
// which is its model_cfg alone, for a model that is to be trained: it is given
// the size of the vocabulary and the end token.
func Read(r io.Reader, vocab, end int) (Spec, error) {
	config, err := readSmall(r, "it")
	if err != nil {
		return Spec{}, err
	}
	root := parseObject(config)
	model := root
	if root.has("model_cfg") {
		model = root.object("model_cfg")
	}
	tower := model.object("text_cfg")
	tower.set("vocab_size", vocab)
	tower.set("eos_id", end)
	model.set("text_cfg", tower.fields)
	preprocess := root.object("preprocess_cfg")
	s := openCLIPModel(model)
	s.Preprocess = openCLIPPreprocess(preprocess, s.Vision.ImageSize)
	if err := root.err(); err != nil {
		return Spec{}, err
	}
	return s, s.Validate()
}

// openCLIPModel reads a model_cfg.
func openCLIPModel(model *object) Spec {
	s := Spec{Layout: OpenCLIP, InitLogitScale: value(model, "init_logit_scale", clipLogitScale)}
	dim := value(model, "embed_dim", 0)
	quick := value(model, "quick_gelu", false)
	s.LogitBias = model.has("init_logit_bias")
	s.InitLogitBias = value(model, "init_logit_bias", 0.0)
	s.CustomText = value(model, "custom_text", false)
	value(model, "nonscalar_logit_scale", false) // the shape is [1] instead of []
	value(model, "output_dict", false)           // the form of a Python result
	s.Vision = openCLIPVision(model.object("vision_cfg"), dim, quick)
	s.openCLIPText(model.object("text_cfg"), dim, quick)
	model.none()
	return s
}

func openCLIPVision(o *object, dim int, quick bool) vision.Config {
	for _, key := range []string{"timm_model_name", "ls_init_value"} {
		o.only(key)
	}
	o.only("output_tokens", "false")
	plainBlocks(o)
	o.only("pos_embed_type", `"learnable"`)
	// Read by parts that the model then does not have, by training alone
	// (patch_dropout), or by nothing that reaches the features.
	for _, key := range []string{
		"patch_dropout", "image_seq_len", "timm_model_pretrained",
		"timm_pool", "timm_proj", "timm_proj_bias", "timm_drop", "timm_drop_path", "timm_model_kwargs",
	} {
		o.take(key)
	}
	c := vision.Config{
		ImageSize: o.pair("image_size", [2]int{224, 224}),
		Width:     value(o, "width", 768),
		EmbedDim:  dim,
	}
	headWidth := max(value(o, "head_width", 64), 1)
	c.MLPRatio = value(o, "mlp_ratio", 4.0)
	c.Stages = list[int](o, "layers")
	patch := o.pair("patch_size", [2]int{16, 16})
	act, eps := activation(o, quick), normEps(o)
	openCLIPPool(o, &c)
	c.NormAfterPool = value(o, "final_ln_after_pool", false)
	c.NoLnPre = value(o, "no_ln_pre", false)
	c.NoClassToken = value(o, "no_class_token", false)
	if c.Stages != nil {
		o.none()
		return vision.Config{ImageSize: c.ImageSize, Width: c.Width, Heads: c.Width * 32 / headWidth, EmbedDim: dim, Stages: c.Stages}
	}
	c.Layers = value(o, "layers", 12)
	c.Heads = c.Width / headWidth
	c.PatchSize, c.Activation, c.NormEps = patch[0], act, eps
	if patch[0] != patch[1] {
		o.fail("%s is %v, want a square", o.name("patch_size"), patch)
	}
	o.none()
	return c
}

// openCLIPPool reads how an image tower pools. Of attentional_pool's forms those
// named by a string, "parallel" and "cascade", return no vector for an image.
func openCLIPPool(o *object, c *vision.Config) {
	c.Pool = o.oneOf("pool_type", "tok", "tok", "tok", "avg", "avg")
	queries, heads := value(o, "attn_pooler_queries", 256), value(o, "attn_pooler_heads", 8)
	if raw := string(o.fields["attentional_pool"]); raw != "true" {
		o.only("attentional_pool", "false", `""`)
		return
	}
	o.take("attentional_pool")
	if c.Pool == "avg" {
		o.fail("%s is avg beside attentional_pool, which is not supported", o.name("pool_type"))
	}
	c.Pool, c.PoolQueries, c.PoolHeads = "map", queries, heads
}

func (s *Spec) openCLIPText(o *object, dim int, quick bool) {
	o.only("hf_model_name")
	o.only("text_arch", `"clip"`)
	o.only("proj_type", `"linear"`)
	o.only("tokenizer_type", `""`)
	for _, key := range []string{"embed_cls", "output_tokens", "variable_text"} {
		o.only(key, "false")
	}
	o.only("ls_init_value")
	plainBlocks(o)
	// Read by other architectures, or (final_ln_after_pool, pad_id, bos_id) not
	// by this one.
	for _, key := range []string{
		"hf_model_pretrained", "hf_proj_type", "hf_pooler_type", "hf_model_config", "tiktoken_name",
		"final_ln_after_pool", "pad_id", "bos_id",
		"attention_mode", "pos_embed", "rope_temperature", "mlp_type", "norm_type", "norm_eps", "attn_gated", "pre_norm",
		"norm_placement", "zero_init_residual", "reg_tokens", "value_residual", "attention_bias", "mlp_bias", "gate_bias",
	} {
		o.take(key)
	}
	c := text.Config{
		ContextLength: value(o, "context_length", 77),
		VocabSize:     value(o, "vocab_size", 49408),
		Width:         value(o, "width", 512),
		Layers:        value(o, "layers", 12),
		Heads:         value(o, "heads", 8),
		MLPRatio:      value(o, "mlp_ratio", 4.0),
		EmbedDim:      dim,
		Activation:    activation(o, quick),
		NormEps:       normEps(o),
		Mask:          "causal",
		Pool:          o.oneOf("pool_type", "argmax", "argmax", "argmax", "eos", "eos", "first", "first", "last", "last", "mean", "mean"),
		ProjBias:      value(o, "proj_bias", false),
	}
	if value(o, "no_causal_mask", false) {
		c.Mask = "none"
	}
	if value(o, "pad_mask", false) {
		if c.Mask != "none" {
			o.fail("%s is set, but not no_causal_mask", o.name("pad_mask"))
		}
		c.Mask = "padding"
	}
	if needs := c.Pool == "eos" || c.Pool == "mean" || c.Mask == "padding"; needs && !o.has("eos_id") {
		o.fail("%s is missing", o.name("eos_id"))
	}
	id := value(o, "eos_id", 0)
	if id < 0 || id > math.MaxInt32 {
		o.fail("%s is %d, want a token's id", o.name("eos_id"), id)
	}
	c.EOSTokenID = int32(id)
	s.Text = c

	s.HFTokenizer = value(o, "hf_tokenizer_name", "")
	o.only("tokenizer_mode")
	kw := o.object("tokenizer_kwargs")
	s.TextClean = kw.oneOf("clean", "", "", "", "lower", "lower", "whitespace", "whitespace", "canonicalize", "canonicalize")
	if s.HFTokenizer != "" {
		s.StripSeparator = value(kw, "strip_sep_token", false)
	}
	kw.none()
	o.none()
}

// plainBlocks refuses the settings of open_clip's custom attention block.
func plainBlocks(o *object) {
	o.only("block_type", `"default"`)
	for _, key := range []string{"qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"} {
		o.only(key, "false")
	}
}

func activation(o *object, quick bool) string {
	if quick {
		o.only("act_kwargs")
		return "quick_gelu"
	}
	kw := o.object("act_kwargs")
	defer kw.none()
	return kw.oneOf("approximate", "none", "none", "gelu", "tanh", "gelu_tanh")
}

func normEps(o *object) float64 {
	kw := o.object("norm_kwargs")
	defer kw.none()
	return value(kw, "eps", 1e-5)
}

// openCLIPPreprocess takes the size from the model, as open_clip does.
func openCLIPPreprocess(o *object, size [2]int) *vision.Preprocess {
	p := vision.CLIPPreprocess(224)
	p.Size = size
	o.only("mode", `"RGB"`)
	p.Mean = o.triple("mean", p.Mean)
	p.Std = o.triple("std", p.Std)
	// At inference "random" is bicubic. oneOf has reported the words that
	// UnmarshalText does not know.
	_ = p.Interpolation.UnmarshalText([]byte(o.oneOf("interpolation", "bicubic", "bicubic", "bicubic", "bilinear", "bilinear", "random", "bicubic")))
	_ = p.Resize.UnmarshalText([]byte(o.oneOf("resize_mode", "shortest", "shortest", "shortest", "longest", "longest", "squash", "squash")))
	fill := value(o, "fill_color", 0)
	if fill < 0 || fill > 255 {
		o.fail("%s is %d, want 0 to 255", o.name("fill_color"), fill)
	}
	p.Fill = uint8(fill)
	p.Ground = o.ground()
	return p
}

// openCLIPConfig is an open_clip_config.json as it is written.
type openCLIPConfig struct {
	Model struct {
		EmbedDim       int            `json:"embed_dim"`
		QuickGELU      bool           `json:"quick_gelu,omitempty"`
		InitLogitScale float64        `json:"init_logit_scale"`
		InitLogitBias  *float64       `json:"init_logit_bias,omitempty"`
		CustomText     bool           `json:"custom_text,omitempty"`
		Vision         map[string]any `json:"vision_cfg"`
		Text           map[string]any `json:"text_cfg"`
	} `json:"model_cfg"`
	Preprocess map[string]any `json:"preprocess_cfg"`
}

func formatOpenCLIP(s *Spec) ([]byte, error) {
	var c openCLIPConfig
	m := &c.Model
	m.EmbedDim = s.Vision.EmbedDim
	m.InitLogitScale = s.InitLogitScale
	if s.LogitBias {
		m.InitLogitBias = &s.InitLogitBias
	}
	m.CustomText = s.CustomText
	m.QuickGELU = s.Text.Activation == "quick_gelu"
	if s.Vision.Stages == nil && (s.Vision.Activation == "quick_gelu") != m.QuickGELU {
		return nil, unwritable(OpenCLIP, "the image tower's activation %s beside the text tower's %s", s.Vision.Activation, s.Text.Activation)
	}
	m.Vision = s.formatVision()
	m.Text = s.formatText()
	p := s.Preprocess
	if p == nil {
		return nil, unwritable(OpenCLIP, "a model without preprocessing")
	}
	c.Preprocess = map[string]any{
		"size": side(p.Size), "mode": "RGB", "mean": decimals(p.Mean), "std": decimals(p.Std),
		"interpolation": p.Interpolation, "resize_mode": p.Resize, "fill_color": p.Fill,
	}
	if p.Ground != nil {
		ground, err := formatGround(OpenCLIP, p.Ground)
		if err != nil {
			return nil, err
		}
		c.Preprocess["ground"] = ground
	}
	return marshal(c)
}

func (s *Spec) formatVision() map[string]any {
	v := &s.Vision
	if v.Stages != nil {
		heads := cmp.Or(v.Heads, max(v.Width/2, 1))
		return map[string]any{
			"image_size": side(v.ImageSize), "width": v.Width, "layers": v.Stages, "head_width": v.Width * 32 / heads,
		}
	}
	m := map[string]any{
		"image_size": side(v.ImageSize), "width": v.Width, "layers": v.Layers, "head_width": v.Width / v.Heads, "patch_size": v.PatchSize,
	}
	common(m, v.Width, v.MLPRatio, v.Activation, v.NormEps)
	if v.Pool == "map" {
		m["attentional_pool"], m["attn_pooler_queries"], m["attn_pooler_heads"] = true, v.PoolQueries, v.PoolHeads
	}
	set(m, "pool_type", v.Pool, v.Pool == "avg")
	set(m, "final_ln_after_pool", true, v.NormAfterPool)
	set(m, "no_ln_pre", true, v.NoLnPre)
	set(m, "no_class_token", true, v.NoClassToken)
	return m
}

func (s *Spec) formatText() map[string]any {
	t := &s.Text
	m := map[string]any{
		"context_length": t.ContextLength, "vocab_size": t.VocabSize, "width": t.Width, "heads": t.Heads, "layers": t.Layers,
	}
	common(m, t.Width, t.MLPRatio, t.Activation, t.NormEps)
	set(m, "pool_type", t.Pool, t.Pool != "argmax")
	set(m, "no_causal_mask", true, t.Mask != "causal")
	set(m, "pad_mask", true, t.Mask == "padding")
	set(m, "proj_bias", true, t.ProjBias)
	set(m, "eos_id", t.EOSTokenID, t.Pool == "eos" || t.Pool == "mean" || t.Mask == "padding" || t.EOSTokenID != 0)
	set(m, "hf_tokenizer_name", s.HFTokenizer, s.HFTokenizer != "")
	kw := map[string]any{}
	set(kw, "clean", s.TextClean, s.TextClean != "")
	set(kw, "strip_sep_token", true, s.StripSeparator)
	set(m, "tokenizer_kwargs", kw, len(kw) > 0)
	return m
}

// common writes what the configurations of both towers have.
func common(m map[string]any, width int, ratio float64, act string, eps float64) {
	set(m, "mlp_ratio", openCLIPRatio(width, ratio), ratio != 0 && ratio != 4)
	set(m, "act_kwargs", map[string]any{"approximate": "tanh"}, act == "gelu_tanh")
	set(m, "norm_kwargs", map[string]any{"eps": eps}, eps != 1e-5)
}

// openCLIPRatio returns a ratio from which int(width·ratio), without any
// allowance for rounding, gives the width of the MLP.
func openCLIPRatio(width int, ratio float64) float64 {
	want := nn.MLPWidth(width, ratio)
	if int(float64(width)*ratio) == want {
		return ratio
	}
	ratio = float64(want) / float64(width)
	if int(float64(width)*ratio) < want {
		ratio = math.Nextafter(ratio, math.Inf(1))
	}
	return ratio
}

func set(m map[string]any, key string, v any, present bool) {
	if present {
		m[key] = v
	}
}

// side is a height and a width in the shortest form.
func side(s [2]int) any {
	if s[0] == s[1] {
		return s[0]
	}
	return slices.Clone(s[:])
}
