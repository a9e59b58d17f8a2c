package checkpoint

import (
	"strconv"

	"github.com/goclip/goclip/vision"
)

// timmConvNeXts are the ConvNeXts that open_clip names (timm 1.0.31, convnext.py).
func timmConvNeXts() []timmModel[vision.ConvNeXt] {
	deep := [4]int{3, 3, 27, 3}
	model := func(name string, depths [4]int, width int, eps float64) timmModel[vision.ConvNeXt] {
		return timmModel[vision.ConvNeXt]{name, vision.ConvNeXt{
			ImageSize: square(224), Depths: depths, Widths: [4]int{width, 2 * width, 4 * width, 8 * width}, NormEps: eps,
		}}
	}
	return []timmModel[vision.ConvNeXt]{
		model("convnext_base", deep, 128, 1e-6),
		model("convnext_tiny", [4]int{3, 3, 9, 3}, 96, 1e-6),
		model("convnext_small", deep, 96, 1e-6),
		model("convnext_large", deep, 192, 1e-6),
		model("convnext_xlarge", deep, 256, 1e-6),
		model("convnext_xxlarge", [4]int{3, 4, 30, 3}, 384, 1e-5),
	}
}

// timmConvNeXt reads and writes ConvNeXts in open_clip's configurations. Their size is
// preprocessing's alone, since any will do.
func timmConvNeXt() openCLIPTower {
	return openCLIPTower{
		read: func(o *object, dim int, _ bool) (vision.Config, bool) {
			c, ok := model(o, timmConvNeXts())
			if !ok {
				return nil, false
			}
			c.EmbedDim, c.ImageSize = dim, o.pair("image_size", square(224))
			timmPool(o, "", "avg")
			enumValue(o, "timm_proj", &c.Head, vision.HeadLinear, vision.HeadLinear, vision.HeadMLP)
			o.only("timm_proj_bias", "false")
			timmUnread(o)
			kw := o.object("timm_model_kwargs")
			perStage(kw, "depths", c.Depths[:])
			perStage(kw, "dims", c.Widths[:])
			kw.none()
			return c, true
		},
		write: func(config vision.Config, _ bool) (map[string]any, bool, error) {
			c, ok := config.(vision.ConvNeXt)
			if !ok {
				return nil, false, nil
			}
			name, kw := closest(timmConvNeXts(), func(m vision.ConvNeXt) (map[string]any, bool) {
				kw := map[string]any{}
				set(kw, "depths", c.Depths, c.Depths != m.Depths)
				set(kw, "dims", c.Widths, c.Widths != m.Widths)
				return kw, m.NormEps == c.NormEps
			})
			if name == "" {
				return nil, true, unwritable(OpenCLIP, "a ConvNeXt of epsilon %s", strconv.FormatFloat(c.NormEps, 'g', -1, 64))
			}
			m := map[string]any{
				"image_size": side(c.ImageSize), "timm_model_name": name, "timm_model_pretrained": false, "timm_pool": "", "timm_proj": c.Head,
			}
			set(m, "timm_model_kwargs", kw, len(kw) > 0)
			return m, true, nil
		},
	}
}

// publishedConvNeXt are open_clip's configurations with ConvNeXts.
func publishedConvNeXt() map[string]func() Spec {
	all := map[string]func() Spec{}
	for _, p := range []struct {
		name, timm       string
		side, dim        int
		head             vision.Head
		width, textDepth int
	}{
		{"convnext_tiny", "convnext_tiny", 224, 1024, vision.HeadLinear, 512, 12},
		{"convnext_small", "convnext_small", 224, 512, vision.HeadLinear, 512, 12},
		{"convnext_base", "convnext_base", 224, 512, vision.HeadLinear, 512, 12},
		{"convnext_base_w", "convnext_base", 256, 640, vision.HeadLinear, 640, 12},
		{"convnext_base_w_320", "convnext_base", 320, 640, vision.HeadLinear, 640, 12},
		{"convnext_large", "convnext_large", 224, 768, vision.HeadLinear, 768, 12},
		{"convnext_large_d", "convnext_large", 256, 768, vision.HeadMLP, 768, 16},
		{"convnext_large_d_320", "convnext_large", 320, 768, vision.HeadMLP, 768, 16},
		{"convnext_xlarge", "convnext_xlarge", 256, 1024, vision.HeadLinear, 1024, 20},
		{"convnext_xxlarge", "convnext_xxlarge", 256, 1024, vision.HeadLinear, 1024, 24},
		{"convnext_xxlarge_320", "convnext_xxlarge", 320, 1024, vision.HeadLinear, 1024, 24},
	} {
		all[p.name] = func() Spec {
			c := named(timmConvNeXts(), p.timm)
			c.ImageSize, c.EmbedDim, c.Head = square(p.side), p.dim, p.head
			s := withTimm(c, clipText(p.width, p.textDepth), vision.CLIPPreprocess(p.side))
			s.CustomText = false
			return s
		}
	}
	return all
}
