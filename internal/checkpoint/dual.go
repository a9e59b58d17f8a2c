package checkpoint

import (
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

const (
	dualCLIP = "clip_image_transformers dual_bert_transformers"
	dualViT  = "vit_image_transformers dual_bert_transformers"
)

// hfDual is transformers' VisionTextDualEncoderModel, which joins an image and a text model
// of other classes: here CLIP's image tower or ViTModel, and BERT, RoBERTa or XLM-R.
func hfDual() hfClass {
	return hfClass{
		modelType: "vision-text-dual-encoder",
		processor: "ViTImageProcessor",
		tables: func(f *files) (string, []string) {
			switch {
			case f.has("vision_model.embeddings.cls_token"):
				return dualViT, nil
			case f.has("vision_model.vision_model."): // as transformers 4 writes it
				return dualCLIP, []string{"vision_model.", "vision_model.vision_model."}
			}
			return dualCLIP, nil
		},
		written: func(s *Spec) string {
			if _, ok := s.Vision.(vision.PlainViT); ok {
				return dualViT
			}
			return dualCLIP
		},
		fits: func(s *Spec) bool {
			b, ok := s.Text.(text.BERT)
			return ok && (s.Vision.Family() == "vit" || isPooledViT(s.Vision)) &&
				readsOut(b.Encoder, text.PoolTanh) && !b.ZeroPad && b.TokenTypes > 0 && b.Transform == 0 && asLong(b)
		},
		read:  readDual,
		write: formatDual,
	}
}

func readDual(root *object) Spec {
	dim := value(root, "projection_dim", 512)
	s := Spec{InitLogitScale: value(root, "logit_scale_init_value", 2.6592)}
	v := root.object("vision_config")
	switch v.oneOf("model_type", "", "clip_vision_model", "clip", "clip", "clip", "vit", "vit") {
	case "vit":
		s.Vision = hfPooledViT(v, dim)
	default:
		s.Vision = hfVision(v, dim)
	}
	t := root.object("text_config")
	class, ok := hfEncoderNamed(t.peek("model_type"))
	if !ok || !class.pooler {
		t.fail("%s is %q, which is not supported; known are bert, roberta, xlm-roberta", t.name("model_type"), t.peek("model_type"))
		class = hfBERT("bert", false, 30522)
	}
	s.Text = class.read(t, hfReadout(dim, text.PoolTanh))
	return s
}

// isPooledViT reports whether an image tower is transformers' ViTModel with a projection.
func isPooledViT(c vision.Config) bool {
	v, ok := c.(vision.PlainViT)
	return ok && v.Pooler && !v.NormTwice && !v.ProjBias
}

// hfPooledViT reads a ViTConfig.
func hfPooledViT(o *object, dim int) vision.PlainViT {
	o.only("num_channels", "3")
	o.only("pooler_act", `"tanh"`)
	c := vision.PlainViT{
		Pooler:    true,
		PatchSize: value(o, "patch_size", 16), Width: value(o, "hidden_size", 768),
		Layers: value(o, "num_hidden_layers", 12), Heads: value(o, "num_attention_heads", 12), EmbedDim: dim,
		Activation: hfActivation(o, nn.GELU), NormEps: value(o, "layer_norm_eps", 1e-12), NoQKVBias: !value(o, "qkv_bias", true),
	}
	side := value(o, "image_size", 224)
	c.ImageSize = [2]int{side, side}
	c.MLPRatio = hfRatio(o, c.Width, 3072)
	if n := value(o, "pooler_output_size", c.Width); n != c.Width {
		o.fail("%s is %d, want hidden_size %d", o.name("pooler_output_size"), n, c.Width)
	}
	return c
}

func formatDual(s *Spec) ([]byte, error) {
	const class, kind = "VisionTextDualEncoderModel", "vision-text-dual-encoder"
	b := s.Text.(text.BERT)
	caption := writeBERT(b)
	if caption["model_type"] = "bert"; b.Counted {
		caption["model_type"] = "roberta"
	}
	v, pooled := s.Vision.(vision.PlainViT)
	if !pooled {
		image, err := hfImageOf(s, "clip_vision_model")
		if err != nil {
			return nil, err
		}
		return marshal(hfConfigOf(s, class, kind, image, caption))
	}
	switch {
	case v.ImageSize[0] != v.ImageSize[1]:
		return nil, unwritable(HuggingFace, "an image tower that is not square")
	case s.LogitBias:
		return nil, unwritable(HuggingFace, "a logit bias")
	}
	image := hfTower{
		ModelType: "vit", Hidden: v.Width, Intermediate: nn.MLPWidth(v.Width, v.MLPRatio), Layers: v.Layers, Heads: v.Heads,
		Activation: hfActivationName(v.Activation), NormEps: v.NormEps, ImageSize: v.ImageSize[0], PatchSize: v.PatchSize, Channels: 3,
	}
	if v.NoQKVBias {
		image.QKVBias = new(bool) // false
	}
	return marshal(hfConfigOf(s, class, kind, image, caption))
}
