package checkpoint

import "github.com/goclip/goclip/text"

// hfAltCLIP is transformers' AltCLIPModel: CLIP's image tower, and XLM-R with a
// transformation behind it.
func hfAltCLIP() hfClass {
	const names = "clip_image_transformers altclip_transformers"
	return hfClass{
		modelType: "altclip", family: "vit", names: names,
		processor: "CLIPImageProcessor",
		tables: func(f *files) (string, []string) {
			if f.has("vision_model.encoder.layer.") { // as transformers 5 writes it
				return names, []string{"vision_model.encoder.layers.", "vision_model.encoder.layer."}
			}
			return names, nil
		},
		fits: func(s *Spec) bool {
			b, ok := s.Text.(text.BERT)
			return ok && readsOut(b.Encoder, text.PoolFirst) && b.Counted && !b.ZeroPad && b.TokenTypes > 0 && b.Transform > 0 && asLong(b)
		},
		read: func(root *object) Spec {
			dim := value(root, "projection_dim", 768)
			t := root.either("text_config_dict", "text_config")
			for key, def := range map[string]int{
				"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
				"max_position_embeddings": 514, "type_vocab_size": 1,
			} {
				if !t.has(key) {
					t.set(key, def)
				}
			}
			c := readBERT(t, hfReadout(dim, text.PoolFirst), true, 250002, 1, 1e-5)
			if c.Transform = value(t, "project_dim", 768); c.Transform < 1 {
				t.fail("%s is %d, want 1 or more", t.name("project_dim"), c.Transform)
			}
			return Spec{
				InitLogitScale: value(root, "logit_scale_init_value", 2.6592),
				Vision:         hfVision(root.either("vision_config_dict", "vision_config"), dim),
				Text:           c,
			}
		},
		write: func(s *Spec) ([]byte, error) {
			b := s.Text.(text.BERT)
			caption := writeBERT(b)
			caption["model_type"], caption["project_dim"] = "altclip_text_model", b.Transform
			image, err := hfImageOf(s, "altclip_vision_model")
			if err != nil {
				return nil, err
			}
			return marshal(hfConfigOf(s, "AltCLIPModel", "altclip", image, caption))
		},
	}
}
