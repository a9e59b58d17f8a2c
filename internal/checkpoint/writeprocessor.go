package checkpoint

import (
	"slices"

	"github.com/goclip/goclip/vision"
)

// hfProcessor is a preprocessor_config.json as it is written.
type hfProcessor struct {
	Type      string     `json:"image_processor_type"`
	Crop      bool       `json:"do_center_crop"`
	CropSize  any        `json:"crop_size,omitempty"`
	RGB       bool       `json:"do_convert_rgb"`
	Normalize bool       `json:"do_normalize"`
	Rescale   bool       `json:"do_rescale"`
	Resize    bool       `json:"do_resize"`
	Mean      [3]float64 `json:"image_mean"`
	Std       [3]float64 `json:"image_std"`
	Resample  int        `json:"resample"`
	Factor    float64    `json:"rescale_factor"`
	Size      any        `json:"size,omitempty"`
	Ground    *[3]uint8  `json:"ground,omitempty"`
	Steps     string     `json:"steps,omitempty"`
	Upright   bool       `json:"upright,omitempty"`

	Passes vision.Passes `json:"passes,omitempty"`
	Patch  int           `json:"patch_size,omitempty"`
	Most   int           `json:"max_num_patches,omitempty"`
}

// formatPreprocessor writes the image processor of a class. Open_clip's steps, which
// transformers has not, are said in a field of goclip's own, and so is Upright: there
// whoever opens an image turns it.
func formatPreprocessor(p *vision.Preprocess, kind string) ([]byte, error) {
	box := func(s [2]int) map[string]int { return map[string]int{"height": s[0], "width": s[1]} }
	c := hfProcessor{
		Type: kind, RGB: true, Normalize: true, Rescale: true, Resize: p.Resize != vision.ResizeNone,
		Mean: decimals(p.Mean), Std: decimals(p.Std), Resample: slices.Index(resamples(), p.Interpolation), Factor: 1 / 255.0,
		Upright: p.Upright, Passes: p.Passes,
	}
	if p.Steps == vision.StepsOpenCLIP {
		c.Steps = p.Steps.String()
	}
	if p.Ground != nil {
		ground, err := formatGround(HuggingFace, p.Ground)
		if err != nil {
			return nil, err
		}
		c.Ground = &ground
	}
	scale := p.Scale
	switch {
	case p.MaxPatches > 0:
		c.Patch, c.Most = p.PatchSize, p.MaxPatches
	case p.Resize == vision.ResizeLongest:
		return nil, unwritable(HuggingFace, "preprocessing that pads images")
	case p.Resize == vision.ResizeSquash:
		if scale == [2]int{} {
			scale = p.Size
		}
		c.Size = box(scale)
	case p.Resize == vision.ResizeShortest:
		if scale == [2]int{} {
			scale[0] = min(p.Size[0], p.Size[1])
		}
		edges := map[string]int{"shortest_edge": scale[0]}
		if scale[1] > 0 {
			edges["longest_edge"] = scale[1]
		}
		c.Size = edges
	}
	if (kind == siglip2Processor) != (p.MaxPatches > 0) {
		return nil, unwritable(HuggingFace, "%s of images as %d patches", kind, p.MaxPatches)
	}
	if p.Size != [2]int{} && (p.Resize != vision.ResizeSquash || scale != p.Size) {
		c.Crop, c.CropSize = true, box(p.Size)
	}
	return marshal(c)
}
