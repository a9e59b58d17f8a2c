package checkpoint

import (
	"math"
	"strings"

	"github.com/goclip/goclip/vision"
)

// processor is a class of transformers' image processors: what it does where its file
// says nothing (5.24; 4.57 differed in EfficientNet's resample).
type processor struct {
	name      string // image_processor_type, without the generation's suffix
	size      int    // of a side; crop too where it is cut
	shortest  bool   // size is the shorter side, else both
	square    bool   // a size that is one number is both sides, else the shorter one
	crop      int    // the side of what is cut, whether it is cut or not; 0 where the class has none
	crops     bool
	bilinear  bool
	mean, std [3]float32
	plain     bool // it does not normalise
	top       bool // include_top: it divides by std once more
	patches   bool // images become patches of any grid
}

const siglip2Processor = "Siglip2ImageProcessor"

func processors() []processor {
	clip := vision.CLIPPreprocess(224)
	half := [3]float32{0.5, 0.5, 0.5}
	return []processor{
		{name: "CLIPImageProcessor", size: 224, shortest: true, crop: 224, crops: true, mean: clip.Mean, std: clip.Std},
		{name: "ChineseCLIPImageProcessor", size: 224, shortest: true, crop: 224, crops: true, mean: clip.Mean, std: clip.Std},
		{name: "SiglipImageProcessor", size: 224, mean: half, std: half},
		{name: siglip2Processor, bilinear: true, mean: half, std: half, patches: true},
		{name: "BlipImageProcessor", size: 384, square: true, mean: clip.Mean, std: clip.Std},
		{name: "EfficientNetImageProcessor", size: 346, square: true, crop: 289, mean: half, std: half, top: true},
		{name: "ViTImageProcessor", size: 224, square: true, bilinear: true, mean: half, std: half},
		{name: "Tipsv2ImageProcessor", size: 448, square: true, bilinear: true, plain: true, std: [3]float32{1, 1, 1}},
	}
}

func processorNamed(kind string) (processor, bool) {
	for _, p := range processors() {
		if p.name == kind {
			return p, true
		}
	}
	return processor{}, false
}

// processorOf is the class for models of a model_type whose file names none; empty where
// transformers knows none.
func processorOf(modelType string) string {
	return map[string]string{
		"clip": "CLIPImageProcessor", "clip_vision_model": "CLIPImageProcessor", "metaclip_2": "CLIPImageProcessor", "altclip": "CLIPImageProcessor",
		"groupvit": "CLIPImageProcessor", "chinese_clip": "ChineseCLIPImageProcessor",
		"siglip": "SiglipImageProcessor", "siglip_vision_model": "SiglipImageProcessor",
		"siglip2": siglip2Processor, "siglip2_vision_model": siglip2Processor,
		"blip": "BlipImageProcessor", "blip-2": "BlipImageProcessor", "align": "EfficientNetImageProcessor",
		"clipseg": "ViTImageProcessor", "vision-text-dual-encoder": "ViTImageProcessor", "vit": "ViTImageProcessor", "tipsv2": "Tipsv2ImageProcessor",
	}[modelType]
}

// processorKind leaves out what tells one generation of a class from another.
func processorKind(kind string) string {
	kind = strings.TrimSuffix(strings.TrimSuffix(kind, "Fast"), "Pil")
	if stem, old := strings.CutSuffix(kind, "FeatureExtractor"); old {
		return stem + "ImageProcessor"
	}
	return kind
}

// parsePreprocessor reads a preprocessor_config.json, or what processor_config.json has
// under image_processor, for a model of the given model_type. The fields ground, steps,
// upright and passes are goclip's own, which transformers keeps and does not use.
//
// A step whose field is null is not done; other fields that are null are as if they were
// not there, except where a step that is done needs them.
func parsePreprocessor(o *object, modelType string) (*vision.Preprocess, error) {
	kind := processorKind(value(o, "image_processor_type", value(o, "feature_extractor_type", processorOf(modelType))))
	def, ok := processorNamed(kind)
	if !ok {
		o.fail("image_processor_type is %q, which is not supported", kind)
		return nil, o.err()
	}
	o.only("do_pad", "false")
	p := &vision.Preprocess{Steps: vision.StepsTransformers, Interpolation: o.resample(def), Ground: o.ground(), Upright: value(o, "upright", false), Passes: o.passes()}
	if def.patches {
		o.patches(p)
	} else {
		o.scaling(p, &def)
	}
	o.normalisation(p, &def)
	o.openCLIPSteps(p)
	if err := o.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// passes reads in which order images are scaled along rows and columns.
func (o *object) passes() (p vision.Passes) {
	_ = p.UnmarshalText([]byte(o.oneOf("passes", "rows", "rows", "rows", "pillow13", "pillow13")))
	return p
}

// patches reads what patches images become.
func (o *object) patches(p *vision.Preprocess) {
	p.Resize, p.PatchSize, p.MaxPatches = vision.ResizeSquash, value(o, "patch_size", 16), value(o, "max_num_patches", 256)
	if !o.step("do_resize", true) {
		o.fail("do_resize is false, which is not supported: images of any size are no whole patches")
	}
	if p.PatchSize < 1 || p.MaxPatches < 1 || p.PatchSize > 1<<10 || p.MaxPatches > 1<<16 {
		o.fail("patch_size is %d and max_num_patches %d, want positive numbers up to %d and %d", p.PatchSize, p.MaxPatches, 1<<10, 1<<16)
	}
}

// step reads whether a step is done.
func (o *object) step(key string, def bool) bool {
	if o.isNull(key) {
		def = false
	}
	return value(o, key, def)
}

// resamples are Pillow's codes.
func resamples() []vision.Interpolation {
	return []vision.Interpolation{vision.Nearest, vision.Lanczos, vision.Bilinear, vision.Bicubic, vision.Box, vision.Hamming}
}

func (o *object) resample(def processor) vision.Interpolation {
	code := 3
	if def.bilinear {
		code = 2
	}
	code = value(o, "resample", code)
	if code < 0 || code >= len(resamples()) {
		o.fail("resample is %d, want 0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (hamming)", code)
		return 0
	}
	return resamples()[code]
}

// scaling reads to what size images are scaled, and what is cut out of them.
func (o *object) scaling(p *vision.Preprocess, def *processor) {
	size, shortest := o.edges("size", def.size, def.shortest, !def.square)
	p.Scale, p.Resize = size, vision.ResizeSquash
	if shortest {
		p.Resize = vision.ResizeShortest
	}
	if !o.step("do_resize", true) {
		p.Scale, p.Resize = [2]int{}, vision.ResizeNone
	} else if o.isNull("size") {
		o.fail("size is null, but do_resize needs it")
	}
	cut, side := o.edges("crop_size", def.crop, false, false)
	if side {
		cut[1] = cut[0]
	}
	if !o.step("do_center_crop", def.crops) {
		if p.Resize == vision.ResizeSquash {
			p.Size, p.Scale = p.Scale, [2]int{}
		}
		return
	}
	if p.Size = cut; cut == [2]int{} || o.isNull("crop_size") {
		o.fail("crop_size is missing, but do_center_crop needs it")
	}
	if p.Scale == cut && p.Resize == vision.ResizeSquash || p.Scale == [2]int{cut[0], 0} && cut[0] == cut[1] && p.Resize == vision.ResizeShortest {
		p.Scale = [2]int{}
	}
}

// normalisation reads what becomes of a byte. Of rescale_factor f, an offset and the mean
// and deviation that follow it makes those of values from 0 to 1.
func (o *object) normalisation(p *vision.Preprocess, def *processor) {
	factor, offset := 1.0, 0.0
	rescale := value(o, "rescale_factor", 1/255.0)
	if o.step("do_rescale", true) {
		factor = rescale
	}
	if !(factor > 0) || factor > 1e6 {
		o.fail("rescale_factor is %g, want a positive number", factor)
		factor = 1
	}
	if value(o, "rescale_offset", false) {
		offset = 1
	}
	var mean [3]float32
	std, top := [3]float32{1, 1, 1}, [3]float32{1, 1, 1}
	normalise := o.step("do_normalize", !def.plain)
	for _, key := range []string{"image_mean", "image_std"} {
		if normalise && o.isNull(key) {
			o.fail("%s is null, but do_normalize needs it", key)
		}
	}
	m, s := o.triple("image_mean", def.mean), o.triple("image_std", def.std)
	if normalise {
		mean, std = m, s
	}
	if value(o, "include_top", def.top) {
		top = s
	}
	p.Mean, p.Std = mean, std
	if exact := math.Abs(factor*255-1) < 1e-6 && offset == 0; exact && top == [3]float32{1, 1, 1} {
		return
	}
	for c := range 3 {
		p.Mean[c] = float32((offset + float64(mean[c])) / (255 * factor))
		p.Std[c] = float32(float64(std[c]) * float64(top[c]) / (255 * factor))
	}
}

// openCLIPSteps reads that images are prepared by open_clip's steps, which only goclip
// writes.
func (o *object) openCLIPSteps(p *vision.Preprocess) {
	switch steps := value(o, "steps", vision.StepsTransformers.String()); {
	case steps == vision.StepsTransformers.String():
	case steps != vision.StepsOpenCLIP.String():
		o.fail("steps is %q, want open_clip or transformers", steps)
	case p.MaxPatches == 0 && p.Size == [2]int{} || p.Scale != [2]int{}:
		o.fail("steps is open_clip, beside a size that images are not cut to")
	default:
		p.Steps = vision.StepsOpenCLIP
	}
}

// edges reads a size: both sides, as an object or a pair, or the shorter one with the most
// that the longer may have. A number is the shorter side or, unless shorter is set, both.
func (o *object) edges(key string, def int, defShortest, shorter bool) (size [2]int, shortest bool) {
	number := func(n int, shortest bool) ([2]int, bool) {
		if shortest {
			return [2]int{n, 0}, true
		}
		return [2]int{n, n}, false
	}
	switch {
	case !o.has(key):
		return number(def, defShortest)
	case o.fields[key][0] == '[':
		return o.pair(key, [2]int{}), false
	case o.fields[key][0] != '{':
		return number(o.edge(key), shorter)
	}
	in := o.object(key)
	defer in.none()
	if in.has("shortest_edge") {
		size[0] = in.edge("shortest_edge")
		if in.has("longest_edge") {
			size[1] = in.edge("longest_edge")
		}
		return size, true
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
