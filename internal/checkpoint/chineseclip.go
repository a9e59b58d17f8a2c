package checkpoint

import "github.com/goclip/goclip/text"

// hfReadout is how the two-tower classes of transformers use an encoder: padding is what
// the tokenizer's attention_mask hides, and the projection has no bias.
func hfReadout(dim int, pool text.Pool) text.Encoder {
	return text.Encoder{EmbedDim: dim, Padding: text.PaddingTail, Pool: pool, Head: text.HeadLinear}
}

// readsOut reports whether an encoder is used so.
func readsOut(e text.Encoder, pool text.Pool) bool {
	return e.Padding == text.PaddingTail && e.Pool == pool && e.Head == text.HeadLinear
}

// asLong reports whether a tower reads as many tokens as it has positions, which is all
// that a config.json of transformers can say.
func asLong(b text.BERT) bool {
	n := b.ContextLength
	b.ContextLength = 0
	return context(b) == n
}

// hfChineseCLIP is transformers' ChineseCLIPModel: CLIP's image tower and a BERT whose first
// token is pooled.
func hfChineseCLIP() hfClass {
	return hfClass{
		modelType: "chinese_clip", family: "vit", names: "clip_image_transformers chinese_clip_transformers",
		processor: "ChineseCLIPImageProcessor",
		fits: func(s *Spec) bool {
			b, ok := s.Text.(text.BERT)
			return ok && readsOut(b.Encoder, text.PoolFirst) && !b.Counted && b.ZeroPad && b.TokenTypes > 0 && b.Transform == 0 && asLong(b)
		},
		read: func(root *object) Spec {
			dim := value(root, "projection_dim", 512)
			caption := readBERT(root.either("text_config_dict", "text_config"), hfReadout(dim, text.PoolFirst), false, 30522, 0, 1e-12)
			// from_pretrained of transformers 5 sets that row to zero, a side effect of how it
			// initialises the class.
			caption.ZeroPad = true
			return Spec{
				InitLogitScale: value(root, "logit_scale_init_value", 2.6592),
				Vision:         hfVision(root.either("vision_config_dict", "vision_config"), dim),
				Text:           caption,
			}
		},
		write: func(s *Spec) ([]byte, error) {
			caption := writeBERT(s.Text.(text.BERT))
			caption["model_type"] = "chinese_clip_text_model"
			image, err := hfImageOf(s, "chinese_clip_vision_model")
			if err != nil {
				return nil, err
			}
			return marshal(hfConfigOf(s, "ChineseCLIPModel", "chinese_clip", image, caption))
		},
	}
}
