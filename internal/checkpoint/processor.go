package checkpoint

import (
	"math"
	"strings"

	"github.com/goclip/goclip/vision"
)

// parsePreprocessor reads a preprocessor_config.json of either generation of
// CLIPImageProcessor. Images are cut as torchvision does, which is what that
// class's fast variant and the original do; the slow one may cut one pixel
// further up or left where the margin is odd. The field ground is goclip's own,
// which that class keeps and does not use.
func parsePreprocessor(config []byte, class hfClass) (*vision.Preprocess, error) {
	o := parseObject(config)
	kind := processorKind(value(o, "image_processor_type", value(o, "feature_extractor_type", class.processor.name)))
	def, ok := processorNamed(kind)
	if !ok {
		o.fail("image_processor_type is %q, which is not supported", kind)
		return nil, o.err()
	}
	p, crops := &def.defaults, def.crops
	o.only("do_resize", "true")
	o.only("do_rescale", "true")
	o.only("do_pad", "false")
	if f := value(o, "rescale_factor", 1/255.0); math.Abs(f*255-1) > 1e-6 {
		o.fail("rescale_factor is %g, want 1/255", f)
	}
	p.Mean, p.Std = o.triple("image_mean", p.Mean), o.triple("image_std", p.Std)
	if !value(o, "do_normalize", true) {
		p.Mean, p.Std = [3]float32{}, [3]float32{1, 1, 1}
	}
	resample := 3
	if p.Interpolation == vision.Bilinear {
		resample = 2
	}
	switch r := value(o, "resample", resample); r {
	case 2:
		p.Interpolation = vision.Bilinear
	case 3:
		p.Interpolation = vision.Bicubic
	default:
		o.fail("resample is %d, want 2 (bilinear) or 3 (bicubic)", r)
	}
	p.Ground = o.ground()
	size, shortest := o.edges("size", p.Resize != vision.ResizeSquash)
	if o.isNull("do_center_crop") { // no crop, as the class has it; not the default
		crops = false
	}
	crop := value(o, "do_center_crop", crops)
	cut, _ := o.edges("crop_size", true)
	p.Size, p.Resize = cut, vision.ResizeShortest
	if !shortest {
		p.Size, p.Resize = size, vision.ResizeSquash
	}
	switch {
	case shortest && !crop:
		o.fail("size gives the shorter side, but do_center_crop is false: images would differ in shape")
	case crop && shortest && size[0] != min(cut[0], cut[1]):
		o.fail("images are scaled to %d pixels and cut to %d×%d, which is not supported; want the same number", size[0], cut[1], cut[0])
	case crop && shortest && cut[0] != cut[1]:
		o.fail("crop_size is %d×%d beside a shortest_edge, want a square", cut[1], cut[0])
	case crop && !shortest && cut != size:
		o.fail("images are scaled to %d×%d and cut to %d×%d, which is not supported; want the same", size[1], size[0], cut[1], cut[0])
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// processorKind leaves out what tells one generation of a class from another.
func processorKind(kind string) string {
	kind = strings.TrimSuffix(strings.TrimSuffix(kind, "Fast"), "Pil")
	if stem, old := strings.CutSuffix(kind, "FeatureExtractor"); old {
		return stem + "ImageProcessor"
	}
	return kind
}

// processor is a class of image processors: what it does where its file says
// nothing, and whether it crops.
type processor struct {
	name     string // image_processor_type, without the generation's suffix
	defaults vision.Preprocess
	crops    bool
}

func processorNamed(kind string) (processor, bool) {
	if kind == "ChineseCLIPImageProcessor" {
		kind = "CLIPImageProcessor" // in all but the name
	}
	for _, class := range hfClasses() {
		if class.processor.name == kind {
			return class.processor, true
		}
	}
	return processor{}, false
}

// edges reads a size: a number, in which case it is the shorter side, or an
// object. An absent one is 224 pixels, of the shorter side or of both.
func (o *object) edges(key string, shorter bool) (size [2]int, shortest bool) {
	switch {
	case !o.has(key):
		return [2]int{224, 224}, shorter
	case o.fields[key][0] != '{':
		n := o.edge(key)
		return [2]int{n, n}, true
	}
	in := o.object(key)
	defer in.none()
	if in.has("shortest_edge") {
		n := in.edge("shortest_edge")
		return [2]int{n, n}, true
	}
	return [2]int{in.edge("height"), in.edge("width")}, false
}

func (o *object) edge(key string) int {
	n := value(o, key, 0)
	if n < 1 || n > maxDim {
		o.fail("%s is %d, want 1 or more", o.name(key), n)
	}
	return n
}

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
	Size      any        `json:"size"`
	Ground    *[3]uint8  `json:"ground,omitempty"`
}

func formatPreprocessor(p *vision.Preprocess, class hfClass) ([]byte, error) {
	box := map[string]int{"height": p.Size[0], "width": p.Size[1]}
	c := hfProcessor{
		Type: class.processor.name, RGB: true, Normalize: true, Rescale: true, Resize: true,
		Mean: decimals(p.Mean), Std: decimals(p.Std), Resample: 3, Factor: 1 / 255.0, Size: box,
	}
	if p.Interpolation == vision.Bilinear {
		c.Resample = 2
	}
	if p.Ground != nil {
		ground, err := formatGround(HuggingFace, p.Ground)
		if err != nil {
			return nil, err
		}
		c.Ground = &ground
	}
	switch {
	case p.Resize == vision.ResizeLongest:
		return nil, unwritable(HuggingFace, "preprocessing that pads images")
	case p.Resize != vision.ResizeSquash:
		c.Crop, c.CropSize, c.Size = true, box, map[string]int{"shortest_edge": min(p.Size[0], p.Size[1])}
	}
	return marshal(c)
}
