package checkpoint

import (
	"encoding/json"

	"github.com/goclip/goclip/text"
)

// openCLIPCoCa is open_clip's TextTransformer with embed_cls, of CoCa.
func openCLIPCoCa() openCLIPTextTower {
	return openCLIPTextTower{
		customText: true,
		read: func(o *object, dim int, quick bool) (text.Config, bool) {
			if string(o.fields["embed_cls"]) != "true" {
				return nil, false
			}
			o.take("embed_cls")
			t := plainTransformer(o, dim, quick)
			o.only("no_causal_mask", "false")
			o.only("proj_bias", "false")
			o.only("proj_type", `"linear"`)
			o.only("output_tokens", "false", "true") // what the captioner reads, beside the feature
			o.take("pool_type")                      // the class token is pooled whatever it says
			o.take("eos_id")
			return text.CoCa{
				ContextLength: t.ContextLength, VocabSize: t.VocabSize, Width: t.Width, Layers: t.Layers, Heads: t.Heads, EmbedDim: t.EmbedDim,
				MLPRatio: t.MLPRatio, Activation: t.Activation, NormEps: t.NormEps, PadID: hfID(o, "pad_id", 0),
			}, true
		},
		write: func(s *Spec) (map[string]any, bool, error) {
			c, ok := s.Text.(text.CoCa)
			if !ok {
				return nil, false, nil
			}
			if n := s.Captioner.VocabSize; n != 0 && n != c.VocabSize {
				return nil, true, unwritable(OpenCLIP, "a captioner of another vocabulary, %d, than the text tower's, %d", n, c.VocabSize)
			}
			m := formatTransformer(text.Transformer{
				ContextLength: c.ContextLength, VocabSize: c.VocabSize, Width: c.Width, Layers: c.Layers, Heads: c.Heads,
				MLPRatio: c.MLPRatio, Activation: c.Activation, NormEps: c.NormEps,
			})
			m["embed_cls"] = true
			set(m, "pad_id", c.PadID, c.PadID != 0)
			return m, true, nil
		},
	}
}

// openCLIPCaptioner reads multimodal_cfg. The captioner's projection is as wide as the
// text tower's vocabulary (coca_model.py at 89fb801).
func openCLIPCaptioner(model *object) text.Captioner {
	if !model.has("multimodal_cfg") {
		model.take("multimodal_cfg")
		return text.Captioner{}
	}
	o := model.object("multimodal_cfg")
	o.only("ls_init_value")
	vocab := 49408
	var t struct {
		Vocab *int `json:"vocab_size"`
	}
	// What is no number is refused by whoever reads the text tower.
	if json.Unmarshal(model.fields["text_cfg"], &t) == nil && t.Vocab != nil {
		vocab = *t.Vocab
	}
	return text.Captioner{
		ContextLength: value(o, "context_length", 77), VocabSize: vocab,
		Width: value(o, "width", 512), Layers: value(o, "layers", 12), Heads: value(o, "heads", 8),
	}
}

func formatCaptioner(c text.Captioner) map[string]any {
	return map[string]any{"context_length": c.ContextLength, "vocab_size": c.VocabSize, "width": c.Width, "heads": c.Heads, "layers": c.Layers}
}
