package checkpoint

import (
	"math"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
)

// openCLIPTextTower is how open_clip says what a text tower of one family computes.
type openCLIPTextTower struct {
	// customText says that its configurations make a CustomTextCLIP, whose text tower's
	// names have the prefix "text.".
	customText bool
	// read reads a text_cfg, if it is one of the family.
	read func(o *object, dim int, quick bool) (c text.Config, ok bool)
	// write is its inverse.
	write func(s *Spec) (m map[string]any, ok bool, err error)
}

// openCLIPTextTowers lists the families; the one that takes any text_cfg comes last.
func openCLIPTextTowers() []openCLIPTextTower {
	return []openCLIPTextTower{openCLIPHF(), openCLIPModern(), openCLIPCoCa(), openCLIPTransformer()}
}

func (s *Spec) openCLIPText(o *object, dim int, quick bool) {
	for _, tower := range openCLIPTextTowers() {
		if c, ok := tower.read(o, dim, quick); ok {
			s.Text = c
			break
		}
	}
	s.HFTokenizer = value(o, "hf_tokenizer_name", "")
	if o.oneOf("tokenizer_type", "", "", "", "tiktoken", "tiktoken") == "tiktoken" {
		s.Tiktoken, s.BOSTokenID = value(o, "tiktoken_name", "cl100k_base"), value(o, "bos_id", -1)
	}
	o.only("tokenizer_mode")
	kw := o.object("tokenizer_kwargs")
	s.TextClean = kw.oneOf("clean", "", "", "", "lower", "lower", "whitespace", "whitespace", "canonicalize", "canonicalize",
		"whitespace_underscore", "whitespace_underscore")
	switch {
	case s.Tiktoken != "":
		s.TikToken = tokenizer.TikTokenOptions{NoBegin: !value(kw, "add_bos", true), NoEnd: !value(kw, "add_eos", true)}
	case s.HFTokenizer != "":
		s.StripSeparator = value(kw, "strip_sep_token", false)
		kw.take("language") // which transformers sets back to the file's before each text
	}
	kw.none()
	o.take("tiktoken_name")
	o.take("bos_id")
	o.none()
}

// formatText writes a text_cfg, and says whether its model is a CustomTextCLIP.
func (s *Spec) formatText() (m map[string]any, customText bool, err error) {
	for _, tower := range openCLIPTextTowers() {
		m, ok, err := tower.write(s)
		if !ok {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		set(m, "hf_tokenizer_name", s.HFTokenizer, s.HFTokenizer != "")
		if s.Tiktoken != "" {
			m["tokenizer_type"], m["tiktoken_name"] = "tiktoken", s.Tiktoken
			set(m, "bos_id", s.BOSTokenID, s.BOSTokenID >= 0)
		}
		kw := map[string]any{}
		set(kw, "clean", s.TextClean, s.TextClean != "")
		set(kw, "strip_sep_token", true, s.StripSeparator)
		set(kw, "add_bos", false, s.Tiktoken != "" && s.TikToken.NoBegin)
		set(kw, "add_eos", false, s.Tiktoken != "" && s.TikToken.NoEnd)
		set(m, "tokenizer_kwargs", kw, len(kw) > 0)
		set(m, "output_tokens", true, s.Captioner != text.Captioner{})
		return m, tower.customText, nil
	}
	return nil, false, unwritable(OpenCLIP, "a text tower of family %s", s.Text.Family())
}

// openCLIPTextFields are the fields of a text_cfg that say what a tower computes, those of
// the tokenizer aside.
func openCLIPTextFields() []string {
	return append(openCLIPModernFields(), "vocab_size", "width", "heads", "layers", "mlp_ratio", "ls_init_value", "embed_cls", "pad_id", "eos_id",
		"no_causal_mask", "final_ln_after_pool", "pool_type", "proj_bias", "proj_type", "output_tokens", "act_kwargs", "norm_kwargs",
		"block_type", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc", "text_arch", "variable_text",
		"hf_model_pretrained", "hf_proj_type", "hf_pooler_type", "hf_model_config")
}

// openCLIPModernFields are those that only the modern tower reads.
func openCLIPModernFields() []string {
	return []string{
		"attention_mode", "pos_embed", "rope_temperature", "mlp_type", "norm_type", "norm_eps", "attn_gated", "pre_norm",
		"norm_placement", "zero_init_residual", "reg_tokens", "value_residual", "attention_bias", "mlp_bias", "gate_bias",
	}
}

// openCLIPTransformer is open_clip's TextTransformer.
func openCLIPTransformer() openCLIPTextTower {
	return openCLIPTextTower{
		read: func(o *object, dim int, quick bool) (text.Config, bool) {
			for _, key := range []string{"embed_cls", "output_tokens"} {
				o.only(key, "false")
			}
			c := plainTransformer(o, dim, quick)
			o.take("pad_id")
			enumValue(o, "pool_type", &c.Pool, text.PoolArgmax, text.PoolArgmax, text.PoolEOS, text.PoolFirst, text.PoolLast, text.PoolMean)
			openCLIPProj(o, &c)
			if value(o, "no_causal_mask", false) {
				c.Mask = text.MaskNone
			}
			if value(o, "pad_mask", false) {
				if c.Mask != text.MaskNone {
					o.fail("%s is set, but not no_causal_mask", o.name("pad_mask"))
				}
				c.Mask = text.MaskPadding
			}
			if needs := c.Pool == text.PoolEOS || c.Pool == text.PoolMean || c.Mask == text.MaskPadding; needs && !o.has("eos_id") {
				o.fail("%s is missing", o.name("eos_id"))
			}
			c.EOSTokenID = hfID(o, "eos_id", 0)
			return c, true
		},
		write: func(s *Spec) (map[string]any, bool, error) {
			t, ok := s.Text.(text.Transformer)
			if !ok {
				return nil, false, nil
			}
			m := formatTransformer(t)
			set(m, "pool_type", t.Pool, t.Pool != text.PoolArgmax)
			set(m, "no_causal_mask", true, t.Mask != text.MaskCausal)
			set(m, "pad_mask", true, t.Mask == text.MaskPadding)
			set(m, "proj_bias", true, t.Proj == text.ProjLinear)
			set(m, "proj_type", "none", t.Proj == text.ProjNone)
			readsEOS := t.Pool == text.PoolEOS || t.Pool == text.PoolMean || t.Mask == text.MaskPadding
			set(m, "eos_id", t.EOSTokenID, readsEOS || t.EOSTokenID != 0)
			return m, true, nil
		},
	}
}

// plainTransformer reads what CLIP's text tower and CoCa's have in common.
func plainTransformer(o *object, dim int, quick bool) text.Transformer {
	width := value(o, "width", 512)
	o.only("hf_model_name")
	o.only("text_arch", `"clip"`)
	o.only("variable_text", "false")
	o.only("ls_init_value")
	plainBlocks(o)
	for _, key := range append(openCLIPModernFields(), "hf_model_pretrained", "hf_proj_type", "hf_pooler_type", "hf_model_config", "final_ln_after_pool") {
		o.take(key) // read by other architectures, or (final_ln_after_pool) not by this one
	}
	return text.Transformer{
		ContextLength: value(o, "context_length", 77),
		VocabSize:     value(o, "vocab_size", 49408),
		Width:         width,
		Layers:        value(o, "layers", 12),
		Heads:         value(o, "heads", 8),
		MLPRatio:      mlpRatio(o, "mlp_ratio", width, 4),
		EmbedDim:      dim,
		Activation:    activation(o, quick),
		NormEps:       normEps(o),
		Mask:          text.MaskCausal,
	}
}

// formatTransformer is its inverse.
func formatTransformer(t text.Transformer) map[string]any {
	m := map[string]any{
		"context_length": t.ContextLength, "vocab_size": t.VocabSize, "width": t.Width, "heads": t.Heads, "layers": t.Layers,
	}
	common(m, t.Width, t.MLPRatio, t.Activation, t.NormEps)
	return m
}

// openCLIPProj reads the text projection: proj_bias makes it a linear layer, and
// proj_type "none" leaves it out.
func openCLIPProj(o *object, c *text.Transformer) {
	if value(o, "proj_bias", false) {
		c.Proj = text.ProjLinear
	}
	if o.oneOf("proj_type", "linear", "linear", "linear", "none", "none") == "none" {
		c.Proj = text.ProjNone
	}
}

// plainBlocks refuses the settings of open_clip's custom attention block.
func plainBlocks(o *object) {
	o.only("block_type", `"default"`)
	for _, key := range []string{"qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"} {
		o.only(key, "false")
	}
}

func activation(o *object, quick bool) nn.Activation {
	if quick {
		o.only("act_kwargs")
		return nn.QuickGELU
	}
	kw := o.object("act_kwargs")
	defer kw.none()
	if kw.oneOf("approximate", "none", "none", "none", "tanh", "tanh") == "tanh" {
		return nn.GELUTanh
	}
	return nn.GELU
}

func normEps(o *object) float64 {
	kw := o.object("norm_kwargs")
	defer kw.none()
	return value(kw, "eps", 1e-5)
}

// common writes what the configurations of both towers have.
func common(m map[string]any, width int, ratio float64, act nn.Activation, eps float64) {
	set(m, "mlp_ratio", openCLIPRatio(width, ratio), ratio != 0 && ratio != 4)
	set(m, "act_kwargs", map[string]any{"approximate": "tanh"}, act == nn.GELUTanh)
	set(m, "norm_kwargs", map[string]any{"eps": eps}, eps != 1e-5)
}

// mlpRatio reads the width of an MLP as a multiple of the tower's.
func mlpRatio(o *object, key string, width int, def float64) float64 {
	return truncating(width, value(o, key, def))
}

// truncating returns a ratio of which nn.MLPWidth, which allows for rounding, makes what
// Python does: 4.35 of 100 is 434.99999999999994, and so 434.
func truncating(width int, ratio float64) float64 {
	if ratio == 0 || int(float64(width)*ratio) == nn.MLPWidth(width, ratio) {
		return ratio
	}
	return ratio - 2e-6/float64(width)
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
