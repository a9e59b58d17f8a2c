package checkpoint

import "github.com/goclip/goclip/text"

// openCLIPModern is open_clip's ModernTextTransformer.
func openCLIPModern() openCLIPTextTower {
	return openCLIPTextTower{
		customText: true,
		read: func(o *object, dim int, _ bool) (text.Config, bool) {
			if o.peek("text_arch") != "modern" {
				return nil, false
			}
			o.take("text_arch")
			o.only("hf_model_name")
			o.only("pos_embed", `"rope"`)
			o.only("mlp_type", `"swiglu"`)
			o.only("norm_type", `"rmsnorm"`)
			o.only("norm_placement", `"pre"`)
			o.only("reg_tokens", "0")
			o.only("ls_init_value")
			for _, key := range []string{"pre_norm", "value_residual", "attention_bias", "mlp_bias", "gate_bias"} {
				o.only(key, "false")
			}
			c := text.Modern{
				ContextLength: value(o, "context_length", 77), VocabSize: value(o, "vocab_size", 49408),
				Width: value(o, "width", 512), Layers: value(o, "layers", 12), Heads: value(o, "heads", 8), EmbedDim: dim,
				NormEps: value(o, "norm_eps", 1e-6), RotaryBase: value(o, "rope_temperature", 10000.0),
				QKNorm: value(o, "qk_norm", false), Gated: value(o, "attn_gated", false), PadID: hfID(o, "pad_id", 0),
				Mask: text.MaskCausal, Head: text.HeadLinear,
			}
			c.MLPRatio = mlpRatio(o, "mlp_ratio", c.Width, 4)
			if o.oneOf("attention_mode", "causal", "causal", "causal", "bidirectional", "both") == "both" {
				c.Mask = text.MaskPadding
			}
			pools := map[string]text.Pool{"eos": text.PoolEOS, "mean": text.PoolMean, "map": text.PoolMap}
			c.Pool = pools[o.oneOf("pool_type", "argmax", "argmax", "eos", "eos", "eos", "mean", "mean", "map", "map")]
			if c.Pool == text.PoolEOS && !o.has("eos_id") {
				o.fail("%s is missing", o.name("eos_id"))
			}
			c.EOSTokenID = hfID(o, "eos_id", 0)
			if value(o, "proj_bias", false) {
				c.Head = text.HeadBias
			}
			if o.oneOf("proj_type", "linear", "linear", "linear", "none", "none") == "none" {
				c.Head = text.HeadNone
			}
			for _, key := range openCLIPTextFields() { // of other towers, or read for training alone
				o.take(key)
			}
			return c, true
		},
		write: func(s *Spec) (map[string]any, bool, error) {
			c, ok := s.Text.(text.Modern)
			if !ok {
				return nil, false, nil
			}
			modes := map[text.Mask]string{text.MaskCausal: "causal", text.MaskPadding: "bidirectional"}
			m := map[string]any{
				"text_arch": "modern", "variable_text": true, "context_length": c.ContextLength, "vocab_size": c.VocabSize,
				"width": c.Width, "heads": c.Heads, "layers": c.Layers, "pad_id": c.PadID, "pool_type": c.Pool, "attention_mode": modes[c.Mask],
				"pos_embed": "rope", "rope_temperature": c.RotaryBase, "mlp_type": "swiglu", "norm_type": "rmsnorm", "norm_eps": c.NormEps,
				"qk_norm": c.QKNorm, "attn_gated": c.Gated,
			}
			set(m, "mlp_ratio", openCLIPRatio(c.Width, c.MLPRatio), c.MLPRatio != 0)
			set(m, "eos_id", c.EOSTokenID, c.Pool == text.PoolEOS || c.EOSTokenID != 0)
			set(m, "proj_bias", true, c.Head == text.HeadBias)
			set(m, "proj_type", "none", c.Head == text.HeadNone)
			return m, true, nil
		},
	}
}
