package checkpoint

import (
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// hfDual is transformers' VisionTextDualEncoderModel, which joins an image and a text model
// of other classes: here CLIP's image tower, and BERT, RoBERTa or XLM-R.
func hfDual() hfClass {
	const names = "clip_image_transformers dual_bert_transformers"
	half := [3]float32{0.5, 0.5, 0.5}
	return hfClass{
		modelType: "vision-text-dual-encoder", family: "vit", names: names,
		processor: processor{"ViTImageProcessor", vision.Preprocess{
			Size: [2]int{224, 224}, Resize: vision.ResizeSquash, Interpolation: vision.Bilinear, Mean: half, Std: half,
		}, false},
		tables: func(f *files) (string, []string) {
			if f.has("vision_model.vision_model.") { // as transformers 4 writes it
				return names, []string{"vision_model.", "vision_model.vision_model."}
			}
			return names, nil
		},
		fits: func(s *Spec) bool {
			b, ok := s.Text.(text.BERT)
			return ok && readsOut(b.Encoder, text.PoolTanh) && !b.ZeroPad && b.TokenTypes > 0 && b.Transform == 0 && asLong(b)
		},
		read: func(root *object) Spec {
			dim := value(root, "projection_dim", 512)
			s := Spec{InitLogitScale: value(root, "logit_scale_init_value", 2.6592)}
			v := root.object("vision_config")
			v.only("model_type", `"clip_vision_model"`, `"clip"`)
			s.Vision = hfVision(v, dim)
			t := root.object("text_config")
			class, ok := hfEncoderNamed(t.peek("model_type"))
			if !ok || !class.pooler {
				t.fail("%s is %q, which is not supported; known are bert, roberta, xlm-roberta", t.name("model_type"), t.peek("model_type"))
				class = hfBERT("bert", false, 30522)
			}
			s.Text = class.read(t, hfReadout(dim, text.PoolTanh))
			return s
		},
		write: func(s *Spec) ([]byte, error) {
			b := s.Text.(text.BERT)
			caption := writeBERT(b)
			if caption["model_type"] = "bert"; b.Counted {
				caption["model_type"] = "roberta"
			}
			c, err := hfConfigOf(s, "VisionTextDualEncoderModel", "vision-text-dual-encoder", caption)
			if err != nil {
				return nil, err
			}
			c.Vision.ModelType = "clip_vision_model"
			return marshal(c)
		},
	}
}
