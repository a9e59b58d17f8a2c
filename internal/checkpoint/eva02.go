package checkpoint

import (
	"github.com/goclip/goclip/vision"
)

// timmEVA02 are timm's EVA-02 models (timm 1.0.31, eva.py). Their rotary positions are
// those of a grid of 16, which none but eva02_large_patch14_clip_224 has.
func timmEVA02() timmFamily[vision.EVA02] {
	model := func(side, patch, width, layers, heads int) vision.EVA02 {
		return vision.EVA02{
			ImageSize: square(side), PatchSize: patch, Width: width, Layers: layers, Heads: heads, MLPRatio: 8.0 / 3, RotaryGrid: 16,
		}
	}
	return timmFamily[vision.EVA02]{
		models: []timmModel[vision.EVA02]{
			{"eva02_base_patch16_clip_224", model(224, 16, 768, 12, 12)},
			{"eva02_large_patch14_clip_224", model(224, 14, 1024, 24, 16)},
			{"eva02_large_patch14_clip_336", model(336, 14, 1024, 24, 16)},
		},
		settings: func(c *vision.EVA02) timmSettings {
			return timmSettings{&c.ImageSize, &c.PatchSize, &c.Width, &c.Layers, &c.Heads, &c.EmbedDim, &c.MLPRatio}
		},
		pools: []string{"token"}, proj: "null", customText: true,
	}
}

// publishedEVA02 are open_clip's configurations of them.
func publishedEVA02() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, m := range []struct {
		name, timm string
		dim        int // and width of the text tower
	}{
		{"EVA02-B-16", "eva02_base_patch16_clip_224", 512},
		{"EVA02-L-14", "eva02_large_patch14_clip_224", 768},
		{"EVA02-L-14-336", "eva02_large_patch14_clip_336", 768},
	} {
		all[m.name] = func() Spec {
			image := timmEVA02().named(m.timm, m.dim)
			return withTimm(image, clipText(m.dim, 12), vision.CLIPPreprocess(image.ImageSize[0]))
		}
	}
	return all
}
