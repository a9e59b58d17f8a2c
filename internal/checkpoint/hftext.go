package checkpoint

import (
	"math"
	"slices"
	"strings"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
)

// hfEncoder is a model_type of transformers whose text encoder a tower can be.
type hfEncoder struct {
	modelType string
	openCLIP  bool // open_clip's HFTextEncoder knows it
	// pooler says that open_clip's cls_pooler is a layer of it, and not the first token.
	pooler bool
	// mean says that open_clip averages tokens where a configuration does not say how it
	// pools, and otherwise takes the first.
	mean bool
	// read fills in e, which says how the encoder is pooled and projected, from its
	// config.json. Absent fields have the defaults of its class (transformers 5.24).
	read func(o *object, e text.Encoder) text.Config
	// write is its inverse; false for a configuration of another class.
	write func(c text.Config) (m map[string]any, ok bool)
}

func hfEncoders() []hfEncoder {
	return []hfEncoder{
		hfBERT("bert", false, 30522), hfBERT("roberta", true, 50265), hfBERT("xlm-roberta", true, 30522),
		hfDistilBERT(), hfM2M100(), hfT5("mt5", 250112, 1024, 8, 6, "gated-gelu"), hfT5("t5", 32128, 2048, 6, 8, "relu"), hfModernBERT(),
	}
}

func hfEncoderNamed(modelType string) (hfEncoder, bool) {
	for _, e := range hfEncoders() {
		if e.modelType == modelType {
			return e, true
		}
	}
	return hfEncoder{}, false
}

// hfID reads a token's id.
func hfID(o *object, key string, def int) int32 {
	id := value(o, key, def)
	if id < 0 || id > math.MaxInt32 {
		o.fail("%s is %d, want a token's id", o.name(key), id)
		return 0
	}
	return int32(id)
}

// hfAct reads the activation in a field.
func hfAct(o *object, key string, known ...nn.Activation) nn.Activation {
	name := value(o, key, hfActivationName(known[0]))
	var names []string
	for _, a := range hfActivations() {
		if !slices.Contains(known, a.act) {
			continue
		}
		if a.name == name {
			return a.act
		}
		names = append(names, a.name)
	}
	o.fail("%s is %q, which is not supported; known are %s", o.name(key), name, strings.Join(names, ", "))
	return known[0]
}

// context is the context length: what is set, or as long as there are positions.
func context(c text.BERT) int {
	n := c.Positions
	if c.Counted {
		n -= int(c.PadID) + 1
	}
	if c.ContextLength != 0 {
		return c.ContextLength
	}
	return n
}

// hfBERT is BERT, or where positions are counted RoBERTa and its like.
func hfBERT(modelType string, counted bool, vocab int) hfEncoder {
	pad := 0
	if counted {
		pad = 1
	}
	return hfEncoder{
		modelType: modelType, openCLIP: true, pooler: true, mean: counted,
		read: func(o *object, e text.Encoder) text.Config { return readBERT(o, e, counted, vocab, pad, 1e-12) },
		write: func(c text.Config) (map[string]any, bool) {
			b, ok := c.(text.BERT)
			if !ok || b.Counted != counted || b.ZeroPad || b.TokenTypes == 0 || b.Transform != 0 {
				return nil, false
			}
			return writeBERT(b), true
		},
	}
}

func readBERT(o *object, e text.Encoder, counted bool, vocab, pad int, eps float64) text.BERT {
	o.only("position_embedding_type", `"absolute"`)
	o.only("is_decoder", "false")
	e.VocabSize, e.Width = value(o, "vocab_size", vocab), value(o, "hidden_size", 768)
	e.Layers, e.Heads = value(o, "num_hidden_layers", 12), value(o, "num_attention_heads", 12)
	e.MLPWidth, e.NormEps = value(o, "intermediate_size", 3072), value(o, "layer_norm_eps", eps)
	e.PadID = hfID(o, "pad_token_id", pad)
	c := text.BERT{
		Encoder: e, Activation: hfAct(o, "hidden_act", nn.GELU, nn.GELUTanh, nn.QuickGELU), Counted: counted,
		Positions: value(o, "max_position_embeddings", 512), TokenTypes: value(o, "type_vocab_size", 2),
	}
	if c.TokenTypes < 1 {
		o.fail("%s is %d, want 1 or more", o.name("type_vocab_size"), c.TokenTypes)
	}
	c.ContextLength = context(c)
	return c
}

func writeBERT(b text.BERT) map[string]any {
	return map[string]any{
		"vocab_size": b.VocabSize, "hidden_size": b.Width, "num_hidden_layers": b.Layers, "num_attention_heads": b.Heads,
		"intermediate_size": b.MLPWidth, "layer_norm_eps": b.NormEps, "pad_token_id": b.PadID, "hidden_act": hfActivationName(b.Activation),
		"max_position_embeddings": b.Positions, "type_vocab_size": b.TokenTypes,
	}
}

// hfDistilBERT keeps to BERT's names; its layout has a table of its own.
func hfDistilBERT() hfEncoder {
	return hfEncoder{
		modelType: "distilbert",
		read: func(o *object, e text.Encoder) text.Config {
			e.VocabSize, e.Width = value(o, "vocab_size", 30522), value(o, "dim", 768)
			e.Layers, e.Heads = value(o, "n_layers", 6), value(o, "n_heads", 12)
			e.MLPWidth, e.NormEps, e.PadID = value(o, "hidden_dim", 3072), 1e-12, hfID(o, "pad_token_id", 0)
			c := text.BERT{
				Encoder: e, Activation: hfAct(o, "activation", nn.GELU, nn.GELUTanh, nn.QuickGELU), Positions: value(o, "max_position_embeddings", 512),
			}
			c.ContextLength = context(c)
			return c
		},
		write: func(c text.Config) (map[string]any, bool) {
			b, ok := c.(text.BERT)
			if !ok || b.Counted || b.ZeroPad || b.TokenTypes != 0 || b.Transform != 0 || b.NormEps != 1e-12 {
				return nil, false
			}
			return map[string]any{
				"vocab_size": b.VocabSize, "dim": b.Width, "n_layers": b.Layers, "n_heads": b.Heads, "hidden_dim": b.MLPWidth,
				"pad_token_id": b.PadID, "activation": hfActivationName(b.Activation), "max_position_embeddings": b.Positions,
			}, true
		},
	}
}

func hfM2M100() hfEncoder {
	return hfEncoder{
		modelType: "m2m_100", openCLIP: true,
		read: func(o *object, e text.Encoder) text.Config {
			o.only("activation_function", `"relu"`)
			e.VocabSize, e.Width = value(o, "vocab_size", 128112), value(o, "d_model", 1024)
			e.Layers, e.Heads = value(o, "encoder_layers", 12), value(o, "encoder_attention_heads", 16)
			e.MLPWidth, e.NormEps, e.PadID = value(o, "encoder_ffn_dim", 4096), 1e-5, hfID(o, "pad_token_id", 1)
			if e.ContextLength == 0 {
				e.ContextLength = value(o, "max_position_embeddings", 1024)
			}
			return text.M2M100{Encoder: e, ScaleEmbedding: value(o, "scale_embedding", true)}
		},
		write: func(c text.Config) (map[string]any, bool) {
			m, ok := c.(text.M2M100)
			if !ok || m.NormEps != 1e-5 {
				return nil, false
			}
			return map[string]any{
				"vocab_size": m.VocabSize, "d_model": m.Width, "encoder_layers": m.Layers, "encoder_attention_heads": m.Heads,
				"encoder_ffn_dim": m.MLPWidth, "pad_token_id": m.PadID, "scale_embedding": m.ScaleEmbedding,
			}, true
		},
	}
}

func hfT5(modelType string, vocab, hidden, layers, heads int, mlp string) hfEncoder {
	return hfEncoder{
		modelType: modelType, openCLIP: modelType == "mt5", mean: true,
		read: func(o *object, e text.Encoder) text.Config {
			e.VocabSize, e.Width = value(o, "vocab_size", vocab), value(o, "d_model", 512)
			e.Layers, e.Heads = value(o, "num_layers", layers), value(o, "num_heads", heads)
			e.MLPWidth, e.NormEps = value(o, "d_ff", hidden), value(o, "layer_norm_epsilon", 1e-6)
			e.PadID = hfID(o, "pad_token_id", 0)
			if e.ContextLength == 0 {
				e.ContextLength = value(o, "n_positions", 512)
			}
			return text.T5{
				Encoder: e, HeadWidth: value(o, "d_kv", 64), Buckets: value(o, "relative_attention_num_buckets", 32),
				MaxDistance: value(o, "relative_attention_max_distance", 128),
				Gated:       o.oneOf("feed_forward_proj", mlp, "gated-gelu", "gated", "relu", "relu") == "gated",
			}
		},
		write: func(c text.Config) (map[string]any, bool) {
			t, ok := c.(text.T5)
			if !ok || t.Gated != (mlp == "gated-gelu") {
				return nil, false
			}
			return map[string]any{
				"vocab_size": t.VocabSize, "d_model": t.Width, "num_layers": t.Layers, "num_heads": t.Heads, "d_ff": t.MLPWidth, "d_kv": t.HeadWidth,
				"layer_norm_epsilon": t.NormEps, "pad_token_id": t.PadID, "relative_attention_num_buckets": t.Buckets,
				"relative_attention_max_distance": t.MaxDistance, "feed_forward_proj": mlp,
			}, true
		},
	}
}

func hfModernBERT() hfEncoder {
	return hfEncoder{
		modelType: "modernbert", openCLIP: true, mean: true,
		read: func(o *object, e text.Encoder) text.Config {
			o.only("hidden_activation", `"gelu"`)
			for _, bias := range []string{"norm_bias", "attention_bias", "mlp_bias"} {
				o.only(bias, "false")
			}
			o.only("layer_types")
			o.only("rope_parameters")
			e.VocabSize, e.Width = value(o, "vocab_size", 50368), value(o, "hidden_size", 768)
			e.Layers, e.Heads = value(o, "num_hidden_layers", 22), value(o, "num_attention_heads", 12)
			e.MLPWidth, e.NormEps = value(o, "intermediate_size", 1152), value(o, "norm_eps", 1e-5)
			e.PadID = hfID(o, "pad_token_id", 50283)
			if e.ContextLength == 0 {
				e.ContextLength = value(o, "max_position_embeddings", 8192)
			}
			return text.ModernBERT{
				Encoder: e, GlobalEvery: value(o, "global_attn_every_n_layers", 3), Window: value(o, "local_attention", 128) / 2,
				GlobalBase: value(o, "global_rope_theta", 160000.0), LocalBase: value(o, "local_rope_theta", 10000.0),
			}
		},
		write: func(c text.Config) (map[string]any, bool) {
			m, ok := c.(text.ModernBERT)
			if !ok {
				return nil, false
			}
			return map[string]any{
				"vocab_size": m.VocabSize, "hidden_size": m.Width, "num_hidden_layers": m.Layers, "num_attention_heads": m.Heads,
				"intermediate_size": m.MLPWidth, "norm_eps": m.NormEps, "pad_token_id": m.PadID, "global_attn_every_n_layers": m.GlobalEvery,
				"local_attention": 2 * m.Window, "global_rope_theta": m.GlobalBase, "local_rope_theta": m.LocalBase,
			}, true
		},
	}
}

// hfPublished is the configuration of a published text encoder, which others name instead
// of saying it: those of open_clip's configurations, and of M-CLIP's.
type hfPublished struct{ name, modelType, config string }

// hfPublications lists them, with what differs from their class's defaults.
func hfPublications() []hfPublished {
	const roberta = `"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5`
	const large = `"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096, `
	const nllb = `"vocab_size": 256206`
	return []hfPublished{
		{"roberta-base", "roberta", `{` + roberta + `}`},
		{"xlm-roberta-base", "xlm-roberta", `{"vocab_size": 250002, ` + roberta + `}`},
		{"xlm-roberta-large", "xlm-roberta", `{"vocab_size": 250002, ` + large + roberta + `}`},
		{"facebook/nllb-200-distilled-600M", "m2m_100", `{` + nllb + `}`},
		{"facebook/nllb-200-distilled-1.3B", "m2m_100", `{` + nllb + `, "encoder_layers": 24, "encoder_ffn_dim": 8192}`},
		{"google/mt5-base", "mt5", `{"d_model": 768, "d_ff": 2048, "num_layers": 12, "num_heads": 12}`},
		{"google/mt5-xl", "mt5", `{"d_model": 2048, "d_ff": 5120, "num_layers": 24, "num_heads": 32}`},
		{"Alibaba-NLP/gte-modernbert-base", "modernbert", `{}`},
		{"bert-base-uncased", "bert", `{}`},
		{"bert-base-multilingual-cased", "bert", `{"vocab_size": 119547}`},
		{"distilbert-base-multilingual-cased", "distilbert", `{"vocab_size": 119547}`},
		{"setu4993/LaBSE", "bert", `{"vocab_size": 501153}`},
	}
}

// hfPublishedNamed returns the configuration of a published encoder and its class. An
// organisation in front of the old names is passed over, as in FacebookAI/roberta-base.
func hfPublishedNamed(name string) (hfEncoder, *object, bool) {
	short := name[strings.LastIndex(name, "/")+1:]
	for _, p := range hfPublications() {
		if p.name == name || p.name == short {
			e, ok := hfEncoderNamed(p.modelType)
			return e, parseObject([]byte(p.config)), ok
		}
	}
	return hfEncoder{}, nil, false
}
