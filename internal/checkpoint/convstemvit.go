package checkpoint

import (
	"github.com/goclip/goclip/vision"
)

// timmConvStemViT is timm's copy of MobileCLIP-B's image tower (timm 1.0.31,
// vision_transformer_hybrid.py).
func timmConvStemViT() timmFamily[vision.ConvStemViT] {
	return timmFamily[vision.ConvStemViT]{
		models: []timmModel[vision.ConvStemViT]{
			{"vit_base_mci_224", vision.ConvStemViT{ImageSize: square(224), Width: 768, Layers: 12, Heads: 12, MLPRatio: 4}},
		},
		settings: func(c *vision.ConvStemViT) timmSettings {
			// The stem is as wide as the model says, whatever embed_dim does.
			return timmSettings{
				&c.ImageSize, &c.EmbedDim, &c.Width, &c.MLPRatio, map[string]*int{"depth": &c.Layers, "num_heads": &c.Heads},
			}
		},
		pools: []string{"token"}, proj: "null", customText: true,
	}
}

// publishedConvStemViT are MobileCLIP-B and its successor (Faghri et al., 2025).
func publishedConvStemViT() map[string]func() Spec {
	spec := func() Spec {
		return withTimm(timmConvStemViT().named("vit_base_mci_224", 512), clipText(512, 12), mobilePreprocess(224))
	}
	return map[string]func() Spec{"MobileCLIP-B": spec, "MobileCLIP2-B": spec}
}
