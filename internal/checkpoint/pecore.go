package checkpoint

import (
	"github.com/goclip/goclip/vision"
)

// timmPECore are timm's copies of Perception Encoder's CLIP models (timm 1.0.31,
// eva.py).
func timmPECore() timmFamily[vision.PECore] {
	model := func(side, patch, width, layers, heads, grid int) vision.PECore {
		return vision.PECore{
			ImageSize: square(side), PatchSize: patch, Width: width, Layers: layers, Heads: heads, MLPRatio: 4, RotaryGrid: grid,
		}
	}
	gigantic := model(448, 14, 1536, 50, 16, 32)
	gigantic.MLPRatio, gigantic.NoClassToken = 8960.0/1536, true
	return timmFamily[vision.PECore]{
		models: []timmModel[vision.PECore]{
			{"vit_pe_core_tiny_patch16_384", model(384, 16, 192, 12, 3, 24)},
			{"vit_pe_core_small_patch16_384", model(384, 16, 384, 12, 6, 24)},
			{"vit_pe_core_base_patch16_224", model(224, 16, 768, 12, 12, 14)},
			{"vit_pe_core_large_patch14_336", model(336, 14, 1024, 24, 16, 24)},
			{"vit_pe_core_gigantic_patch14_448", gigantic},
		},
		settings: func(c *vision.PECore) timmSettings {
			return timmPlain(&c.ImageSize, &c.PatchSize, &c.Width, &c.Layers, &c.Heads, &c.EmbedDim, &c.MLPRatio)
		},
		pools: []string{"map"}, proj: "null", customText: true,
	}
}

// publishedPECore are open_clip's configurations of them.
func publishedPECore() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, m := range []struct {
		name, timm                  string
		dim, context, width, layers int
	}{
		{"PE-Core-T-16-384", "vit_pe_core_tiny_patch16_384", 512, 32, 512, 12},
		{"PE-Core-S-16-384", "vit_pe_core_small_patch16_384", 512, 32, 512, 12},
		{"PE-Core-B-16", "vit_pe_core_base_patch16_224", 1024, 32, 1024, 24},
		{"PE-Core-L-14-336", "vit_pe_core_large_patch14_336", 1024, 32, 1024, 24},
		{"PE-Core-bigG-14-448", "vit_pe_core_gigantic_patch14_448", 1280, 72, 1280, 24},
	} {
		all[m.name] = func() Spec {
			image, caption := timmPECore().named(m.timm, m.dim), clipText(m.width, m.layers)
			caption.ContextLength = m.context
			preprocess := sigPreprocess(image.ImageSize[0])
			preprocess.Interpolation = vision.Bilinear
			return withTimm(image, caption, &preprocess)
		}
	}
	return all
}
