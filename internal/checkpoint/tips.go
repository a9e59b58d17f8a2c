package checkpoint

import (
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// hfTIPS is transformers' Tipsv2Model. The published files have no temperature, which then
// is the configuration's.
func hfTIPS() hfClass {
	return hfClass{
		modelType: "tipsv2", names: "tips_transformers",
		read: func(root *object) Spec {
			image := hfTIPSImage(root.object("vision_config"))
			return Spec{
				InitLogitScale: hfTemperature(root, 0.005065968260169029), NoLogitScale: true,
				Vision: image, Text: hfTIPSText(root.object("text_config")),
			}
		},
	}
}

func hfTIPSImage(o *object) vision.TIPS {
	o.only("num_channels", "3")
	c := vision.TIPS{
		PatchSize: value(o, "patch_size", 14), Width: value(o, "hidden_size", 768),
		Layers: value(o, "num_hidden_layers", 12), Heads: value(o, "num_attention_heads", 12),
		Registers: value(o, "num_register_tokens", 1), SwiGLU: value(o, "use_swiglu_ffn", false),
		Activation: hfActivation(o, nn.GELU), NormEps: value(o, "layer_norm_eps", 1e-6), LayerScale: value(o, "layerscale_value", 1.0),
		NoQKVBias: !value(o, "qkv_bias", true), ImageSize: o.pair("image_size", square(448)),
	}
	c.MLPRatio = mlpRatio(o, "mlp_ratio", c.Width, 4)
	return c
}

func hfTIPSText(o *object) text.TIPS {
	o.only("hidden_act", `"relu"`)
	o.only("scale_sqrt_depth", "true")
	if eps := value(o, "pooling_epsilon", 1e-8); eps != 1e-8 {
		o.fail("%s is %g, which is not supported; known is 1e-08", o.name("pooling_epsilon"), eps)
	}
	e := text.Encoder{
		ContextLength: value(o, "max_position_embeddings", 64), VocabSize: value(o, "vocab_size", 32000), Width: value(o, "hidden_size", 768),
		Layers: value(o, "num_hidden_layers", 12), Heads: value(o, "num_attention_heads", 12), MLPWidth: value(o, "intermediate_size", 3072),
		NormEps: value(o, "layer_norm_eps", 1e-5), PadID: hfID(o, "pad_token_id", 0),
		Padding: text.PaddingTail, Pool: text.PoolMean, Head: text.HeadNone,
	}
	e.EmbedDim = e.Width
	return text.TIPS{Encoder: e}
}
