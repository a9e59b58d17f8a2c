package checkpoint

import (
	"github.com/goclip/goclip/vision"
)

// timmEVA are timm's EVA-01, and EVA-02's enormous model, which is built like it but
// for its norms (timm 1.0.31, eva.py).
func timmEVA() timmFamily[vision.EVA] {
	return timmFamily[vision.EVA]{
		models: []timmModel[vision.EVA]{
			{"eva_giant_patch14_224", vision.EVA{
				ImageSize: square(224), PatchSize: 14, Width: 1408, Layers: 40, Heads: 16, MLPRatio: 6144.0 / 1408,
			}},
			{"eva02_enormous_patch14_clip_224", vision.EVA{
				ImageSize: square(224), PatchSize: 14, Width: 1792, Layers: 64, Heads: 16, MLPRatio: 15360.0 / 1792, PostNorm: true,
			}},
		},
		settings: func(c *vision.EVA) timmSettings {
			return timmSettings{&c.ImageSize, &c.PatchSize, &c.Width, &c.Layers, &c.Heads, &c.EmbedDim, &c.MLPRatio}
		},
		pools: []string{"token"}, proj: "null", customText: true,
	}
}

// publishedEVA are open_clip's configurations of them.
func publishedEVA() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, m := range []struct {
		name, timm    string
		width, layers int // of the text tower
	}{
		{"EVA01-g-14", "eva_giant_patch14_224", 768, 12},
		{"EVA01-g-14-plus", "eva_giant_patch14_224", 1024, 24},
		{"EVA02-E-14", "eva02_enormous_patch14_clip_224", 1024, 24},
		{"EVA02-E-14-plus", "eva02_enormous_patch14_clip_224", 1280, 32},
	} {
		all[m.name] = func() Spec {
			return withTimm(timmEVA().named(m.timm, 1024), clipText(m.width, m.layers), vision.CLIPPreprocess(224))
		}
	}
	return all
}
