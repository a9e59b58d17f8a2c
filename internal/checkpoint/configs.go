package checkpoint

import (
	"maps"
	"slices"
	"strings"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// ConfigByName returns a model of open_clip's published configurations
// (src/open_clip/model_configs at 89fb801), by its name there. It covers those
// whose towers this module has. Images are prepared as its published weights want it, or as
// PreprocessCfg's defaults say; where one of several sets of weights wants something else,
// its checkpoint says so.
func ConfigByName(name string) (Spec, bool) {
	spec, ok := allPublished()[name]
	if !ok {
		return Spec{}, false
	}
	return spec(), true
}

// allPublished are the families' configurations, by name.
func allPublished() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, family := range []map[string]func() Spec{
		publishedCLIP(), publishedSigLIP(), publishedTimmViT(), publishedPECore(), publishedEVA(), publishedEVA02(),
		publishedGapViT(), publishedConvStemViT(), publishedConvNeXt(), publishedFastViT(), publishedViTamin(), publishedSwin(),
		publishedNaFlex(), publishedTexts(),
	} {
		maps.Copy(all, family)
	}
	return all
}

func publishedCLIP() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, m := range publications() {
		all[m.name] = func() Spec { return m.spec(false) }
		if m.quick {
			all[m.name+"-quickgelu"] = func() Spec { return m.spec(true) }
		}
	}
	return all
}

// ConfigNames lists the names that [ConfigByName] knows, sorted.
func ConfigNames() []string { return slices.Sorted(maps.Keys(allPublished())) }

// publication is one line of open_clip's configurations.
type publication struct {
	name   string
	quick  bool // there is a variant with QuickGELU, named so
	dim    int
	vision tower
	text   tower
}

// tower is what the published configurations differ in.
type tower struct {
	size, patch int // of images
	width       int
	layers      int
	heads       int
	mlp         float64 // over width, 0 for 4
	stages      [4]int  // of a ResNet
}

func publications() []publication {
	vit := func(size, patch, width, layers, heads int) tower {
		return tower{size: size, patch: patch, width: width, layers: layers, heads: heads}
	}
	resnet := func(size, width int, stages [4]int) tower {
		return tower{size: size, width: width, heads: width / 2, stages: stages}
	}
	txt := func(width, layers int) tower { return tower{width: width, layers: layers, heads: width / 64} }
	// The largest towers' MLPs are not four times as wide.
	giant := func(size, width, layers int, mlp float64) tower {
		return tower{size: size, patch: 14, width: width, layers: layers, heads: 16, mlp: mlp}
	}
	bigG := func(size int) tower { return giant(size, 1664, 48, 4.9231) }
	return []publication{
		{"RN50", true, 1024, resnet(224, 64, [4]int{3, 4, 6, 3}), txt(512, 12)},
		{"RN101", true, 512, resnet(224, 64, [4]int{3, 4, 23, 3}), txt(512, 12)},
		{"RN50x4", true, 640, resnet(288, 80, [4]int{4, 6, 10, 6}), txt(640, 12)},
		{"RN50x16", true, 768, resnet(384, 96, [4]int{6, 8, 18, 8}), txt(768, 12)},
		{"RN50x64", true, 1024, resnet(448, 128, [4]int{3, 15, 36, 10}), txt(1024, 12)},

		{"ViT-S-32", false, 384, vit(224, 32, 384, 12, 6), txt(384, 12)},
		{"ViT-S-32-alt", false, 256, vit(224, 32, 384, 12, 6), txt(256, 10)},
		{"ViT-S-16", false, 384, vit(224, 16, 384, 12, 6), txt(384, 12)},
		{"ViT-S-16-alt", false, 256, vit(224, 16, 384, 12, 6), txt(256, 10)},
		{"ViT-M-16-alt", false, 384, vit(224, 16, 512, 12, 8), txt(384, 12)},
		{"ViT-M-32", false, 512, vit(224, 32, 512, 12, 8), txt(512, 12)},
		{"ViT-M-32-alt", false, 384, vit(224, 32, 512, 12, 8), txt(384, 12)},
		{"ViT-M-16", false, 512, vit(224, 16, 512, 12, 8), txt(512, 12)},
		{"ViT-B-32", true, 512, vit(224, 32, 768, 12, 12), txt(512, 12)},
		{"ViT-B-32-256", false, 512, vit(256, 32, 768, 12, 12), txt(512, 12)},
		{"ViT-B-32-plus-256", false, 640, vit(256, 32, 896, 12, 14), txt(640, 12)},
		{"ViT-B-16", true, 512, vit(224, 16, 768, 12, 12), txt(512, 12)},
		{"ViT-B-16-plus", false, 640, vit(224, 16, 896, 12, 14), txt(640, 12)},
		{"ViT-B-16-plus-240", false, 640, vit(240, 16, 896, 12, 14), txt(640, 12)},
		{"ViT-L-16", false, 768, vit(224, 16, 1024, 24, 16), txt(768, 12)},
		{"ViT-L-16-320", false, 768, vit(320, 16, 1024, 24, 16), txt(768, 12)},
		{"ViT-L-14", true, 768, vit(224, 14, 1024, 24, 16), txt(768, 12)},
		{"ViT-L-14-280", false, 768, vit(280, 14, 1024, 24, 16), txt(768, 12)},
		{"ViT-L-14-336", true, 768, vit(336, 14, 1024, 24, 16), txt(768, 12)},
		{"ViT-L-14-CLIPA", false, 768, vit(224, 14, 1024, 24, 16), txt(768, 12)},
		{"ViT-L-14-CLIPA-336", false, 768, vit(336, 14, 1024, 24, 16), txt(768, 12)},
		{"ViT-L-14-worldwide", true, 768, vit(224, 14, 1024, 24, 16), txt(768, 12)},
		{"ViT-H-16", false, 1024, vit(224, 16, 1280, 32, 16), txt(1024, 24)},
		{"ViT-H-14", true, 1024, vit(224, 14, 1280, 32, 16), txt(1024, 24)},
		{"ViT-H-14-378", true, 1024, vit(378, 14, 1280, 32, 16), txt(1024, 24)},
		{"ViT-H-14-CLIPA", false, 1024, vit(224, 14, 1280, 32, 16), txt(1024, 24)},
		{"ViT-H-14-CLIPA-336", false, 1024, vit(336, 14, 1280, 32, 16), txt(1024, 24)},
		{"ViT-H-14-worldwide", true, 1024, vit(224, 14, 1280, 32, 16), txt(1024, 24)},
		{"ViT-H-14-worldwide-378", false, 1024, vit(378, 14, 1280, 32, 16), txt(1024, 24)},
		{"ViT-g-14", false, 1024, giant(224, 1408, 40, 4.3637), txt(1024, 24)},
		{"ViT-bigG-14", true, 1280, bigG(224), txt(1280, 32)},
		{"ViT-bigG-14-CLIPA", false, 1280, bigG(224), txt(1280, 32)},
		{"ViT-bigG-14-CLIPA-336", false, 1280, bigG(336), txt(1280, 32)},
		{"ViT-bigG-14-worldwide", false, 1280, bigG(224), txt(1280, 32)},
		{"ViT-bigG-14-worldwide-378", false, 1280, bigG(378), txt(1280, 32)},
		{"ViT-e-14", false, 1280, giant(224, 1792, 56, 8.5715), txt(1280, 36)},
	}
}

func (m *publication) spec(quick bool) Spec {
	act := nn.GELU
	if quick {
		act = nn.QuickGELU
	}
	v, t := m.vision, m.text
	image := vision.ViT{
		ImageSize: [2]int{v.size, v.size}, PatchSize: v.patch, Width: v.width, Layers: v.layers, Heads: v.heads,
		EmbedDim: m.dim, MLPRatio: v.mlp, Activation: act, NormEps: 1e-5, Pool: vision.PoolClass,
	}
	caption := text.Transformer{
		ContextLength: 77, VocabSize: 49408, Width: t.width, Layers: t.layers, Heads: t.heads,
		EmbedDim: m.dim, Activation: act, NormEps: 1e-5, Mask: text.MaskCausal, Pool: text.PoolArgmax,
	}
	s := Spec{Layout: OpenCLIP, InitLogitScale: clipLogitScale, Preprocess: vision.CLIPPreprocess(v.size)}
	switch {
	case m.name == "ViT-M-16-alt":
		image.LayerScale = 1e-4
	case strings.Contains(m.name, "-CLIPA"):
		// CLIPA (Li et al., 2023): no ln_pre, mean of patches, short texts that see all of themselves.
		image.NoLnPre, image.Pool, image.NormAfterPool = true, vision.PoolMean, true
		caption.ContextLength, caption.VocabSize, s.HFTokenizer = 32, 32000, "bert-base-uncased"
		s.StripSeparator = true
		caption.Mask, caption.Pool = text.MaskNone, text.PoolLast
		s.Preprocess = &vision.Preprocess{
			Size: image.ImageSize, Resize: vision.ResizeSquash, Interpolation: vision.Bilinear,
			Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}, // ImageNet's
		}
	case strings.HasPrefix(m.name, "ViT-L-14-worldwide"):
		caption.VocabSize, s.HFTokenizer, s.TextClean = 250100, "google/mt5-base", "canonicalize"
		caption.Pool, caption.EOSTokenID = text.PoolEOS, 1
	case strings.Contains(m.name, "-worldwide"):
		caption.VocabSize, s.HFTokenizer = 901629, "facebook/xlm-v-base"
		caption.Pool, caption.EOSTokenID = text.PoolEOS, 2
	}
	if v.size == 378 { // DFN's and MetaCLIP 2's
		s.Preprocess.Resize = vision.ResizeSquash
	}
	s.Vision, s.Text = image, caption
	if v.stages != [4]int{} {
		s.Vision = vision.ResNet{ImageSize: image.ImageSize, Width: v.width, Heads: v.heads, EmbedDim: m.dim, Stages: v.stages}
	}
	return s
}
