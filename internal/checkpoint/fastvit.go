package checkpoint

import (
	"cmp"
	"fmt"

	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// timmFastViTs are the FastViTs that open_clip names (timm 1.0.31, fastvit.py).
func timmFastViTs() []timmModel[vision.FastViT] {
	model := func(i int, depths [5]int, width int, ratio float64) timmModel[vision.FastViT] {
		c := vision.FastViT{ImageSize: square(256), Depths: depths}
		for s, depth := range depths {
			if depth > 0 {
				c.Widths[s], c.MLPRatios[s] = width<<s, ratio
			}
		}
		return timmModel[vision.FastViT]{fmt.Sprint("fastvit_mci", i), c}
	}
	return []timmModel[vision.FastViT]{
		model(0, [5]int{2, 6, 10, 2}, 64, 3),
		model(1, [5]int{4, 12, 20, 4}, 64, 3),
		model(2, [5]int{4, 12, 24, 4}, 80, 3),
		model(3, [5]int{2, 12, 24, 4, 2}, 96, 4),
		model(4, [5]int{2, 12, 24, 4, 4}, 128, 4),
	}
}

// timmFastViT reads and writes FastViTs in open_clip's configurations. Their size is
// preprocessing's alone, since any will do.
func timmFastViT() openCLIPTower {
	return openCLIPTower{
		customText: true,
		read: func(o *object, dim int, _ bool) (vision.Config, bool) {
			name := o.peek("timm_model_name")
			c, ok := model(o, timmFastViTs())
			if !ok {
				return nil, false
			}
			c.EmbedDim, c.ImageSize = dim, o.pair("image_size", square(224))
			timmPool(o, "avg")
			timmProj(o, name, "null")
			timmUnread(o)
			kw, n := o.object("timm_model_kwargs"), c.Stages()
			perStage(kw, "layers", c.Depths[:n])
			perStage(kw, "embed_dims", c.Widths[:n])
			perStage(kw, "mlp_ratios", c.MLPRatios[:n])
			for i := range n {
				c.MLPRatios[i] = truncating(c.Widths[i], c.MLPRatios[i])
			}
			kw.none()
			return c, true
		},
		write: func(config vision.Config, _ bool) (map[string]any, bool, error) {
			c, ok := config.(vision.FastViT)
			if !ok {
				return nil, false, nil
			}
			n := c.Stages()
			for i := range n {
				c.MLPRatios[i] = openCLIPRatio(c.Widths[i], cmp.Or(c.MLPRatios[i], 4))
			}
			name, kw := closest(timmFastViTs(), func(m vision.FastViT) (map[string]any, bool) {
				kw := map[string]any{}
				set(kw, "layers", c.Depths[:n], c.Depths != m.Depths)
				set(kw, "embed_dims", c.Widths[:n], c.Widths != m.Widths)
				set(kw, "mlp_ratios", c.MLPRatios[:n], c.MLPRatios != m.MLPRatios)
				return kw, m.Stages() == n
			})
			m := map[string]any{
				"image_size": side(c.ImageSize), "timm_model_name": name, "timm_model_pretrained": false, "timm_pool": "avg", "timm_proj": nil,
			}
			set(m, "timm_model_kwargs", kw, len(kw) > 0)
			return m, true, nil
		},
	}
}

// publishedFastViT are the MobileCLIPs (Vasu et al., 2024) and MobileCLIP2s (Faghri et
// al., 2025) with such towers.
func publishedFastViT() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, p := range []struct {
		name  string
		model int
		width int // of the text tower and the embedding
	}{
		{"MobileCLIP-S1", 1, 512}, {"MobileCLIP-S2", 2, 512},
		{"MobileCLIP2-S0", 0, 512}, {"MobileCLIP2-S2", 2, 512}, {"MobileCLIP2-S3", 3, 768}, {"MobileCLIP2-S4", 4, 768},
	} {
		all[p.name] = func() Spec {
			c := timmFastViTs()[p.model].config
			c.EmbedDim = p.width
			caption := clipText(p.width, 12)
			caption.Mask = text.MaskNone
			prepare := mobilePreprocess(256)
			if p.model >= 3 {
				prepare = vision.CLIPPreprocess(256)
				prepare.Interpolation = vision.Bilinear
			}
			return withTimm(c, caption, prepare)
		}
	}
	return all
}
