package checkpoint

import "github.com/goclip/goclip/text"

// xlmV is the tokenizer of MetaCLIP 2.
const xlmV = "facebook/xlm-v-base"

// hfMetaCLIP2 is transformers' MetaClip2Model: CLIPModel, but the text's first end token is
// pooled, whatever its id.
func hfMetaCLIP2() hfClass {
	return hfClass{
		modelType: "metaclip_2", family: "vit", names: "clip_transformers",
		processor: "CLIPImageProcessor",
		fits: func(s *Spec) bool {
			t, plain := s.Text.(text.Transformer)
			return plain && t.Pool == text.PoolEOS && s.HFTokenizer == xlmV
		},
		read: func(root *object) Spec {
			dim := value(root, "projection_dim", 512)
			return Spec{
				InitLogitScale: value(root, "logit_scale_init_value", 2.6592),
				Vision:         hfVision(root.object("vision_config"), dim),
				Text:           hfTransformer(root.object("text_config"), dim),
				HFTokenizer:    xlmV,
			}
		},
		write: func(s *Spec) ([]byte, error) {
			t := s.Text.(text.Transformer)
			caption, err := hfTextOf(t, "metaclip_2_text_model", t.EOSTokenID)
			if err != nil {
				return nil, err
			}
			image, err := hfImageOf(s, "metaclip_2_vision_model")
			if err != nil {
				return nil, err
			}
			return marshal(hfConfigOf(s, "MetaClip2Model", "metaclip_2", image, caption))
		},
	}
}
