package checkpoint

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// timmFamily is a family of transformers of timm's. A configuration of open_clip names
// one of its models and says what of it is otherwise.
type timmFamily[C interface {
	comparable
	vision.Config
}] struct {
	models []timmModel[C]
	// settings are what a configuration may change of a model.
	settings func(c *C) timmSettings
	// pools are what timm_pool may be; the first one is written.
	pools []string
	// proj is timm_proj: "linear", or null where the model's own head is the projection.
	proj string
	// customText says that its configurations have custom_text.
	customText bool
}

type timmModel[C any] struct {
	name   string // timm's
	config C
}

// timmSettings points into a configuration.
type timmSettings struct {
	image      *[2]int
	dim, width *int
	ratio      *float64
	kw         map[string]*int // timm_model_kwargs beside img_size and mlp_ratio
}

// timmPlain are the settings of a family whose model may have any sizes.
func timmPlain(image *[2]int, patch, width, layers, heads, dim *int, ratio *float64) timmSettings {
	return timmSettings{image, dim, width, ratio, map[string]*int{
		"patch_size": patch, "embed_dim": width, "depth": layers, "num_heads": heads,
	}}
}

// set copies the settings of another configuration.
func (s timmSettings) set(from timmSettings) {
	*s.image, *s.dim, *s.ratio = *from.image, *from.dim, *from.ratio
	for key, v := range s.kw {
		*v = *from.kw[key]
	}
}

// read changes the settings to what timm_model_kwargs says.
func (s timmSettings) read(kw *object) {
	*s.image = kw.pair("img_size", *s.image)
	for _, key := range slices.Sorted(maps.Keys(s.kw)) {
		*s.kw[key] = value(kw, key, *s.kw[key])
	}
	*s.ratio = mlpRatio(kw, "mlp_ratio", *s.width, *s.ratio)
	kw.none()
}

// kwargs are the settings that differ from a model's.
func (s timmSettings) kwargs(model timmSettings) map[string]any {
	kw := map[string]any{}
	set(kw, "img_size", side(*s.image), *s.image != *model.image)
	for key, v := range s.kw {
		set(kw, key, *v, *v != *model.kw[key])
	}
	ratio := openCLIPRatio(*s.width, *s.ratio)
	set(kw, "mlp_ratio", ratio, ratio != *model.ratio)
	return kw
}

// tower is how open_clip says what a tower of the family computes.
func (f timmFamily[C]) tower() openCLIPTower {
	return openCLIPTower{customText: f.customText, read: f.read, write: f.write}
}

func (f timmFamily[C]) read(o *object, dim int, _ bool) (vision.Config, bool) {
	name := o.peek("timm_model_name")
	c, ok := model(o, f.models)
	if !ok {
		return nil, false
	}
	timmPool(o, f.pools...)
	timmProj(o, name, f.proj)
	timmUnread(o)
	s := f.settings(&c)
	*s.dim = dim
	s.read(o.object("timm_model_kwargs"))
	return c, true
}

// timmPool wants timm_pool to be one of those, of which "" is the model's own pooling, but
// where no projection follows none at all. Absent it is avg.
func timmPool(o *object, pools ...string) {
	var pairs []string
	for _, p := range pools {
		pairs = append(pairs, p, p)
	}
	o.oneOf("timm_pool", "avg", pairs...)
}

// timmProj wants timm_proj to be what a model has: "linear", "mlp", or null.
func timmProj(o *object, model, want string) {
	switch own := want == "null"; {
	case own && !o.isNull("timm_proj"):
		o.fail("%s is not null, which is not supported: the head of %s is the projection", o.name("timm_proj"), model)
	case !own && o.isNull("timm_proj"):
		o.fail("%s is null, which is not supported for %s", o.name("timm_proj"), model)
	case !own:
		o.only("timm_proj", strconv.Quote(want))
		o.only("timm_proj_bias", "false")
	}
}

// timmUnread takes what preprocessing reads, what open_clip's own towers read, and
// what training alone does.
func timmUnread(o *object) {
	for _, key := range append(timmFields(), "image_size", "patch_size", "width", "layers", "head_width", "mlp_ratio") {
		if key != "timm_model_kwargs" {
			o.take(key)
		}
	}
}

// write names the model from which the fewest settings differ.
func (f timmFamily[C]) write(config vision.Config, _ bool) (map[string]any, bool, error) {
	c, ok := config.(C)
	if !ok {
		return nil, false, nil
	}
	s := f.settings(&c)
	*s.ratio = cmp.Or(*s.ratio, 4)
	name, kwargs := closest(f.models, func(m C) (map[string]any, bool) {
		changed := m
		f.settings(&changed).set(s)
		return s.kwargs(f.settings(&m)), changed == c
	})
	if name == "" {
		return nil, true, unwritable(OpenCLIP, "an image tower of family %s that no model of timm is: %+v", c.Family(), c)
	}
	m := map[string]any{
		"image_size": side(*s.image), "timm_model_name": name, "timm_model_pretrained": false, "timm_pool": f.pools[0],
	}
	if m["timm_proj"] = f.proj; f.proj == "null" {
		m["timm_proj"] = nil
	}
	set(m, "timm_model_kwargs", kwargs, len(kwargs) > 0)
	return m, true, nil
}

// closest names the model from which the fewest settings differ, and what kwargs has for
// them; a model that they do not make the same has none.
func closest[C any](models []timmModel[C], kwargs func(model C) (kw map[string]any, ok bool)) (name string, fewest map[string]any) {
	for _, m := range models {
		if kw, ok := kwargs(m.config); ok && (name == "" || len(kw) < len(fewest)) {
			name, fewest = m.name, kw
		}
	}
	return name, fewest
}

// model finds the one that a vision_cfg names.
func model[C any](o *object, models []timmModel[C]) (c C, ok bool) {
	for _, m := range models {
		if m.name == o.peek("timm_model_name") {
			o.take("timm_model_name")
			return m.config, true
		}
	}
	return c, false
}

// perStage reads a number for each stage; where the field is absent v stays as it is.
func perStage[T int | float64](o *object, key string, v []T) {
	switch got := list[T](o, key); {
	case got == nil && !o.has(key):
		o.take(key) // a null
	case len(got) != len(v):
		o.take(key)
		o.fail("%s is %v, want %d numbers", o.name(key), got, len(v))
	default:
		copy(v, got)
	}
}

// clipText is the text tower that most of open_clip's configurations have, with heads
// of 64.
func clipText(width, layers int) text.Transformer {
	return text.Transformer{
		ContextLength: 77, VocabSize: 49408, Width: width, Layers: layers, Heads: width / 64,
		Activation: nn.GELU, NormEps: 1e-5, Mask: text.MaskCausal, Pool: text.PoolArgmax,
	}
}

// withTimm is a published configuration with a tower of timm's.
func withTimm(image vision.Config, caption text.Transformer, preprocess *vision.Preprocess) Spec {
	caption.EmbedDim = image.Dims().EmbedDim
	return Spec{
		Layout: OpenCLIP, InitLogitScale: clipLogitScale, Vision: image, Text: caption, Preprocess: preprocess, CustomText: true,
	}
}

// square is an image's size.
func square(side int) [2]int { return [2]int{side, side} }

// mobilePreprocess is how most of the MobileCLIPs prepare images: their values are 0
// to 1.
func mobilePreprocess(side int) *vision.Preprocess {
	return &vision.Preprocess{Size: square(side), Interpolation: vision.Bilinear, Std: [3]float32{1, 1, 1}}
}

// named finds a family's model.
func (f timmFamily[C]) named(name string, dim int) C {
	c := named(f.models, name)
	*f.settings(&c).dim = dim
	return c
}

func named[C any](models []timmModel[C], name string) C {
	for _, m := range models {
		if m.name == name {
			return m.config
		}
	}
	panic("checkpoint: no model " + name) // a name of the tables here
}
