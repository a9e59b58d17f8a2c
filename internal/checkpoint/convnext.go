package checkpoint

import (
	"strconv"

	"github.com/goclip/goclip/vision"
)

// timmConvNeXts are the ConvNeXts that open_clip names (timm 1.0.31, convnext.py).
func timmConvNeXts() map[string]vision.ConvNeXt {
	deep := [4]int{3, 3, 27, 3}
	model := func(depths [4]int, width int, eps float64) vision.ConvNeXt {
		return vision.ConvNeXt{
			ImageSize: square(224), Depths: depths, Widths: [4]int{width, 2 * width, 4 * width, 8 * width}, NormEps: eps,
		}
	}
	return map[string]vision.ConvNeXt{
		"convnext_tiny":    model([4]int{3, 3, 9, 3}, 96, 1e-6),
		"convnext_small":   model(deep, 96, 1e-6),
		"convnext_base":    model(deep, 128, 1e-6),
		"convnext_large":   model(deep, 192, 1e-6),
		"convnext_xlarge":  model(deep, 256, 1e-6),
		"convnext_xxlarge": model([4]int{3, 4, 30, 3}, 384, 1e-5),
	}
}

// timmConvNeXt reads and writes ConvNeXts in open_clip's configurations. Their size is
// preprocessing's alone, since any will do.
func timmConvNeXt() openCLIPTower {
	return openCLIPTower{
		read: func(o *object, dim int, _ bool) (vision.Config, bool) {
			c, ok := timmConvNeXts()[o.peek("timm_model_name")]
			if !ok {
				return nil, false
			}
			o.take("timm_model_name")
			c.EmbedDim, c.ImageSize = dim, o.pair("image_size", square(224))
			o.only("timm_pool", `""`, `"avg"`)
			enumValue(o, "timm_proj", &c.Head, vision.HeadLinear, vision.HeadLinear, vision.HeadMLP)
			timmUnread(o)
			kw := o.object("timm_model_kwargs")
			c.Depths, c.Widths = four(kw, "depths", c.Depths), four(kw, "dims", c.Widths)
			kw.none()
			return c, true
		},
		write: func(config vision.Config, _ bool) (map[string]any, bool, error) {
			c, ok := config.(vision.ConvNeXt)
			if !ok {
				return nil, false, nil
			}
			var name string
			kw := map[string]any{}
			for _, known := range []string{"convnext_base", "convnext_tiny", "convnext_small", "convnext_large", "convnext_xlarge", "convnext_xxlarge"} {
				m := timmConvNeXts()[known]
				if m.NormEps != c.NormEps {
					continue
				}
				changed := map[string]any{}
				set(changed, "depths", c.Depths, c.Depths != m.Depths)
				set(changed, "dims", c.Widths, c.Widths != m.Widths)
				if name == "" || len(changed) < len(kw) {
					name, kw = known, changed
				}
			}
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

// four reads four numbers, one for each stage.
func four(o *object, key string, def [4]int) [4]int {
	v := list[int](o, key)
	switch {
	case v == nil && !o.has(key):
		o.take(key)
		return def
	case len(v) != 4:
		o.take(key)
		o.fail("%s is %v, want 4 numbers", o.name(key), v)
		return def
	}
	return [4]int(v)
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
			c := timmConvNeXts()[p.timm]
			c.ImageSize, c.EmbedDim, c.Head = square(p.side), p.dim, p.head
			s := withTimm(c, clipText(p.width, p.textDepth), vision.CLIPPreprocess(p.side))
			s.CustomText = false
			return s
		}
	}
	return all
}
