package checkpoint

import (
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// hfBLIP is transformers' BlipModel: a Vision Transformer and a BERT.
func hfBLIP() hfClass {
	return hfClass{
		modelType: "blip", names: "blip_image_transformers blip_transformers chinese_clip_transformers",
		read: func(root *object) Spec {
			dim := value(root, "projection_dim", 512)
			image := hfBLIPImage(root.object("vision_config"), dim)
			image.NormTwice = true
			return Spec{
				InitLogitScale: value(root, "logit_scale_init_value", 2.6592), Vision: image,
				Text: hfUntypedBERT(root.object("text_config"), hfReadout(dim, text.PoolTanh), 30524, 8),
			}
		},
	}
}

// hfBLIPRetrieval is transformers' BlipForImageTextRetrieval, in which the published weights
// are: its contrastive half, whose scores are cosines.
func hfBLIPRetrieval() hfClass {
	c := hfBLIP()
	c.match = func(f *files) bool { return f.has("vision_proj.") }
	c.replace = []string{"text_model.", "text_encoder.", "text_projection.", "text_proj.", "visual_projection.", "vision_proj."}
	c.read = func(root *object) Spec {
		dim := value(root, "image_text_hidden_size", 256)
		image := hfBLIPImage(root.object("vision_config"), dim)
		image.ProjBias = true
		readout := hfReadout(dim, text.PoolFirst)
		readout.Head = text.HeadBias
		return Spec{Vision: image, Text: hfUntypedBERT(root.object("text_config"), readout, 30524, 8), NoLogitScale: true}
	}
	return c
}

func hfBLIPImage(o *object, dim int) vision.PlainViT {
	c := vision.PlainViT{
		PatchSize: value(o, "patch_size", 16), Width: value(o, "hidden_size", 768),
		Layers: value(o, "num_hidden_layers", 12), Heads: value(o, "num_attention_heads", 12), EmbedDim: dim,
		Activation: hfActivation(o, nn.GELU), NormEps: value(o, "layer_norm_eps", 1e-5), ImageSize: o.pair("image_size", square(384)),
	}
	c.MLPRatio = hfRatio(o, c.Width, 3072)
	return c
}

// hfUntypedBERT reads a BERT without token types, which attends both ways here, whatever
// is_decoder says.
func hfUntypedBERT(o *object, e text.Encoder, vocab, heads int) text.BERT {
	o.take("is_decoder")
	if !o.has("num_attention_heads") {
		o.set("num_attention_heads", heads)
	}
	b := readBERT(o, e, false, vocab, 0, 1e-12)
	b.TokenTypes = 0
	return b
}
