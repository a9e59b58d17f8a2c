package checkpoint

import (
	"fmt"
	"strings"

	"github.com/goclip/goclip/vision"
)

// timmViTamins are the models that open_clip names (timm 1.0.31, vitamin.py). Their
// convolutions are as wide as the model says, whatever embed_dim does.
func timmViTamins() timmFamily[vision.ViTamin] {
	f := timmFamily[vision.ViTamin]{
		settings: func(c *vision.ViTamin) timmSettings {
			return timmSettings{
				&c.ImageSize, &c.EmbedDim, &c.Width, &c.MLPRatio, map[string]*int{"depth": &c.Layers, "num_heads": &c.Heads},
			}
		},
		pools: []string{"", "avg"}, proj: "linear", customText: true,
	}
	for _, m := range []struct {
		name   string
		sides  []int
		widths [3]int
		layers int
		heads  int
	}{
		{"small", []int{224}, [3]int{64, 128, 384}, 14, 6},
		{"base", []int{224}, [3]int{128, 256, 768}, 14, 12},
		{"large", []int{224, 256, 336, 384}, [3]int{160, 320, 1024}, 31, 16},
		{"large2", []int{224, 256, 336, 384}, [3]int{160, 320, 1024}, 31, 16},
		{"xlarge", []int{256, 336, 384}, [3]int{192, 384, 1152}, 32, 16},
	} {
		for _, side := range m.sides {
			f.models = append(f.models, timmModel[vision.ViTamin]{fmt.Sprintf("vitamin_%s_%d", m.name, side), vision.ViTamin{
				ImageSize: square(side), ConvWidths: [2]int(m.widths[:2]), Width: m.widths[2], Layers: m.layers, Heads: m.heads, MLPRatio: 2,
				NoPositions: m.name == "xlarge",
			}})
		}
	}
	return f
}

// timmViTamin is how open_clip says what they compute. The largest one has no positions,
// so it takes pictures of the size that preprocessing makes, whatever its name says.
func timmViTamin() openCLIPTower {
	t := timmViTamins().tower()
	read := t.read
	t.read = func(o *object, dim int, quick bool) (vision.Config, bool) {
		if !strings.HasPrefix(o.peek("timm_model_name"), "vitamin_xlarge_") {
			return read(o, dim, quick)
		}
		size := o.pair("image_size", square(224))
		c, ok := read(o, dim, quick)
		if v, ok := c.(vision.ViTamin); ok {
			return v.Resized(size), true
		}
		return c, ok
	}
	return t
}

// publishedViTamin are open_clip's configurations of them. Those whose names end in LTT
// have a larger text tower.
func publishedViTamin() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, p := range []struct {
		name, timm string
		side       int
		dim        int // and width of the text tower
		heads      int // of the text tower
		layers     int // of the text tower
	}{
		{"ViTamin-S", "small_224", 224, 384, 6, 12},
		{"ViTamin-S-LTT", "small_224", 224, 768, 12, 12},
		{"ViTamin-B", "base_224", 224, 512, 8, 12},
		{"ViTamin-B-LTT", "base_224", 224, 768, 12, 12},
		{"ViTamin-L", "large_224", 224, 768, 12, 12},
		{"ViTamin-L-256", "large_256", 256, 768, 12, 12},
		{"ViTamin-L-336", "large_336", 336, 768, 12, 12},
		{"ViTamin-L-384", "large_384", 384, 768, 12, 12},
		{"ViTamin-L2", "large2_224", 224, 1024, 16, 24},
		{"ViTamin-L2-256", "large2_256", 256, 1024, 16, 24},
		{"ViTamin-L2-336", "large2_336", 336, 1024, 16, 24},
		{"ViTamin-L2-384", "large2_384", 384, 1024, 16, 24},
		{"ViTamin-XL-256", "xlarge_256", 256, 1152, 16, 27},
		{"ViTamin-XL-336", "xlarge_336", 336, 1152, 16, 27},
		{"ViTamin-XL-384", "xlarge_384", 256, 1152, 16, 27}, // its pictures are of 256
	} {
		all[p.name] = func() Spec {
			c := timmViTamins().named("vitamin_"+p.timm, p.dim)
			caption := clipText(p.dim, p.layers)
			caption.Heads = p.heads
			return withTimm(c.Resized(square(p.side)), caption, vision.CLIPPreprocess(p.side))
		}
	}
	return all
}
