package checkpoint

import (
	"cmp"

	"github.com/goclip/goclip/vision"
)

// timmSwins is the Swin Transformer that open_clip has a configuration, but no weights of
// (timm 1.0.31, swin_transformer.py).
func timmSwins() []timmModel[vision.Swin] {
	return []timmModel[vision.Swin]{
		{"swin_base_patch4_window7_224", vision.Swin{
			ImageSize: square(224), Window: 7, Width: 128, Depths: [4]int{2, 2, 18, 2}, Heads: [4]int{4, 8, 16, 32}, MLPRatio: 4,
		}},
	}
}

// timmSwin reads and writes it in open_clip's configurations.
func timmSwin() openCLIPTower {
	return openCLIPTower{
		read: func(o *object, dim int, _ bool) (vision.Config, bool) {
			name := o.peek("timm_model_name")
			c, ok := model(o, timmSwins())
			if !ok {
				return nil, false
			}
			c.EmbedDim = dim
			timmPool(o, "", "avg")
			timmProj(o, name, "linear")
			timmUnread(o)
			kw := o.object("timm_model_kwargs")
			c.ImageSize = kw.pair("img_size", c.ImageSize)
			c.Window = value(kw, "window_size", c.Window)
			c.Width = value(kw, "embed_dim", c.Width)
			c.MLPRatio = value(kw, "mlp_ratio", c.MLPRatio)
			for i := range c.Depths {
				c.MLPRatio = truncating(c.Width<<i, c.MLPRatio)
			}
			perStage(kw, "depths", c.Depths[:])
			perStage(kw, "num_heads", c.Heads[:])
			kw.none()
			return c, true
		},
		write: func(config vision.Config, _ bool) (map[string]any, bool, error) {
			c, ok := config.(vision.Swin)
			if !ok {
				return nil, false, nil
			}
			ratio := openCLIPRatio(c.Width, cmp.Or(c.MLPRatio, 4))
			name, kw := closest(timmSwins(), func(m vision.Swin) (map[string]any, bool) {
				kw := map[string]any{}
				set(kw, "img_size", side(c.ImageSize), c.ImageSize != m.ImageSize)
				set(kw, "window_size", c.Window, c.Window != m.Window)
				set(kw, "embed_dim", c.Width, c.Width != m.Width)
				set(kw, "mlp_ratio", ratio, ratio != m.MLPRatio)
				set(kw, "depths", c.Depths, c.Depths != m.Depths)
				set(kw, "num_heads", c.Heads, c.Heads != m.Heads)
				return kw, true
			})
			m := map[string]any{
				"image_size": side(c.ImageSize), "timm_model_name": name, "timm_model_pretrained": false, "timm_pool": "", "timm_proj": "linear",
			}
			set(m, "timm_model_kwargs", kw, len(kw) > 0)
			return m, true, nil
		},
	}
}

// publishedSwin is open_clip's configuration of it.
func publishedSwin() map[string]func() Spec {
	return map[string]func() Spec{
		"swin_base_patch4_window7_224": func() Spec {
			c := timmSwins()[0].config
			c.EmbedDim = 640
			s := withTimm(c, clipText(640, 12), vision.CLIPPreprocess(224))
			s.CustomText = false
			return s
		},
	}
}
