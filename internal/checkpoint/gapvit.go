package checkpoint

import (
	"github.com/goclip/goclip/vision"
)

// timmGapViT and timmRelPosViT are timm's Vision Transformers that open_clip has
// configurations, but no weights of (timm 1.0.31, vision_transformer.py and
// vision_transformer_relpos.py).
func timmGapViT() timmFamily[vision.GapViT] {
	return timmFamily[vision.GapViT]{
		models: []timmModel[vision.GapViT]{
			{"vit_medium_patch16_gap_256", vision.GapViT{
				ImageSize: square(256), PatchSize: 16, Width: 512, Layers: 12, Heads: 8, MLPRatio: 4, LayerScale: 1e-6,
			}},
		},
		settings: func(c *vision.GapViT) timmSettings {
			return timmSettings{&c.ImageSize, &c.PatchSize, &c.Width, &c.Layers, &c.Heads, &c.EmbedDim, &c.MLPRatio}
		},
		pools: []string{"", "avg"}, proj: "linear",
	}
}

func timmRelPosViT() timmFamily[vision.RelPosViT] {
	return timmFamily[vision.RelPosViT]{
		models: []timmModel[vision.RelPosViT]{
			{"vit_relpos_medium_patch16_cls_224", vision.RelPosViT{
				ImageSize: square(224), PatchSize: 16, Width: 512, Layers: 12, Heads: 8, MLPRatio: 4, RelPosWidth: 256, LayerScale: 1e-6,
			}},
		},
		settings: func(c *vision.RelPosViT) timmSettings {
			return timmSettings{&c.ImageSize, &c.PatchSize, &c.Width, &c.Layers, &c.Heads, &c.EmbedDim, &c.MLPRatio}
		},
		pools: []string{"", "token"}, proj: "linear",
	}
}

// publishedGapViT are open_clip's configurations of both.
func publishedGapViT() map[string]func() Spec {
	plain := func(image vision.Config) Spec {
		s := withTimm(image, clipText(512, 12), vision.CLIPPreprocess(image.Dims().ImageSize[0]))
		s.CustomText = false
		return s
	}
	return map[string]func() Spec{
		"vit_medium_patch16_gap_256": func() Spec {
			return plain(timmGapViT().named("vit_medium_patch16_gap_256", 512))
		},
		"vit_relpos_medium_patch16_cls_224": func() Spec {
			return plain(timmRelPosViT().named("vit_relpos_medium_patch16_cls_224", 512))
		},
	}
}
