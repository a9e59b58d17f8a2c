package checkpoint

import (
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// timmViT are timm's copies of CLIP's Vision Transformers (timm 1.0.31,
// vision_transformer.py).
func timmViT() timmFamily[vision.TimmViT] {
	return timmFamily[vision.TimmViT]{
		models: []timmModel[vision.TimmViT]{
			{"vit_large_patch14_clip_224", vision.TimmViT{
				ImageSize: square(224), PatchSize: 14, Width: 1024, Layers: 24, Heads: 16, MLPRatio: 4,
				Activation: nn.GELU, NormEps: 1e-5,
			}},
		},
		settings: func(c *vision.TimmViT) timmSettings {
			return timmPlain(&c.ImageSize, &c.PatchSize, &c.Width, &c.Layers, &c.Heads, &c.EmbedDim, &c.MLPRatio)
		},
		pools: []string{"token"}, proj: "null", customText: true,
	}
}

// publishedTimmViT is MobileCLIP2's largest model (Faghri et al., 2025).
func publishedTimmViT() map[string]func() Spec {
	return map[string]func() Spec{
		"MobileCLIP2-L-14": func() Spec {
			caption := clipText(768, 12)
			caption.Mask = text.MaskNone
			return withTimm(timmViT().named("vit_large_patch14_clip_224", 768), caption, vision.CLIPPreprocess(224))
		},
	}
}
