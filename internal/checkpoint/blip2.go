package checkpoint

import (
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// hfBLIP2 is transformers' Blip2ForImageTextRetrieval without its matching head: queries
// that read the tokens of a Vision Transformer, and a BERT whose attention is that of the
// queries. Image_token_index is not read: captions here have no places for images.
func hfBLIP2() hfClass {
	return hfClass{
		modelType: "blip-2", names: "blip_image_transformers blip2_transformers",
		read: func(root *object) Spec {
			dim, q := value(root, "image_text_hidden_size", 256), root.object("qformer_config")
			readout := hfReadout(dim, text.PoolFirst)
			readout.Head = text.HeadBias
			queries := vision.QFormer{Queries: value(root, "num_query_tokens", 32), CrossEvery: value(q, "cross_attention_frequency", 2)}
			caption := hfUntypedBERT(q, readout, 30522, 12)
			queries.Width, queries.Layers, queries.Heads = caption.Width, caption.Layers, caption.Heads
			queries.Hidden, queries.NormEps = caption.MLPWidth, caption.NormEps
			image := hfBLIP2Image(root.object("vision_config"), dim, queries)
			if image.Activation != caption.Activation {
				root.fail("vision_config.hidden_act is %s and qformer_config.hidden_act %s, want one of both", image.Activation, caption.Activation)
			}
			return Spec{Vision: image, Text: caption, NoLogitScale: true}
		},
	}
}

func hfBLIP2Image(o *object, dim int, queries vision.QFormer) vision.BLIP2 {
	c := vision.BLIP2{
		PatchSize: value(o, "patch_size", 14), Width: value(o, "hidden_size", 1408),
		Layers: value(o, "num_hidden_layers", 39), Heads: value(o, "num_attention_heads", 16), EmbedDim: dim,
		Activation: hfActivation(o, nn.GELU), NormEps: value(o, "layer_norm_eps", 1e-6), ImageSize: o.pair("image_size", square(224)),
		NoQKVBias: !value(o, "qkv_bias", true), QFormer: queries,
	}
	c.MLPRatio = hfRatio(o, c.Width, 6144)
	return c
}
