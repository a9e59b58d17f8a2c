package checkpoint

import (
	"fmt"
	"io"
	"slices"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// parseOpenCLIP reads an open_clip_config.json. Absent fields have the defaults
// of CLIPVisionCfg, CLIPTextCfg and PreprocessCfg at open_clip 89fb801; a field
// of the model that those lack is refused, as it is there.
//
// Settings that open_clip lacks are read and written too: text_cfg.pool_type
// "mean", text_cfg.pad_mask and vision_cfg.no_class_token, which open_clip
// refuses, and preprocess_cfg.ground and steps, which it passes over.
func parseOpenCLIP(config []byte) (Spec, error) {
	root := parseObject(config)
	model := root.object("model_cfg")
	if len(model.fields) == 0 {
		root.fail("model_cfg is missing or empty")
		return Spec{}, root.err()
	}
	s := openCLIPModel(model)
	s.Preprocess = openCLIPPreprocess(root.object("preprocess_cfg"), s.Vision.Dims().ImageSize)
	if err := root.err(); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// Read reads an open_clip_config.json, or one of open_clip's model_configs,
// which is its model_cfg alone, for a model that is to be trained: it is given
// a vocabulary.
func Read(r io.Reader, v Vocabulary) (Spec, error) {
	config, err := readSmall(r, "it")
	if err != nil {
		return Spec{}, err
	}
	root := parseObject(config)
	model := root
	if root.has("model_cfg") {
		model = root.object("model_cfg")
	}
	tower := model.object("text_cfg")
	v.set(tower)
	model.set("text_cfg", tower.fields)
	preprocess := root.object("preprocess_cfg")
	s := openCLIPModel(model)
	s.Preprocess = openCLIPPreprocess(preprocess, s.Vision.Dims().ImageSize)
	if err := root.err(); err != nil {
		return Spec{}, err
	}
	return s, s.Validate()
}

const (
	openCLIPConfigFile  = "open_clip_config.json"
	openCLIPWeightsFile = "open_clip_model.safetensors"
)

// openCLIP is the layout of open_clip's local-dir: and hub folders, and of its
// training checkpoints.
func openCLIP() layout {
	return layout{
		name:   OpenCLIP,
		config: openCLIPConfigFile,
		weights: []string{openCLIPWeightsFile, "open_clip_pytorch_model.safetensors",
			"open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth", anyEpoch, "epoch_latest.pt"},
		match: func(f *files) bool { return f.has("visual.") && (f.exists(openCLIPConfigFile) || f.architecture != "") },
		read: func(f *files) (Spec, naming, error) {
			s, err := f.openCLIPSpec()
			var names prefixed
			if s.CustomText = f.has("text."); s.CustomText {
				names.text = "text."
			}
			return s, names, err
		},
		write: func(s *Spec) ([]File, naming, error) {
			config, customText, err := formatOpenCLIP(s)
			var names prefixed
			if customText {
				names.text = "text."
			}
			return []File{{openCLIPConfigFile, config}}, names, err
		},
		positions: resizeGrid,
	}
}

// openCLIPSpec reads the configuration beside the weights, or takes the one that the caller names.
func (f *files) openCLIPSpec() (Spec, error) {
	if f.exists(openCLIPConfigFile) || f.architecture == "" {
		return parse(f, openCLIPConfigFile, parseOpenCLIP)
	}
	s, ok := ConfigByName(f.architecture)
	if !ok {
		return s, fmt.Errorf("%s is missing, and %q is the name of no configuration that goclip knows", openCLIPConfigFile, f.architecture)
	}
	return s, nil
}

// openCLIPModel reads a model_cfg.
func openCLIPModel(model *object) Spec {
	s := Spec{InitLogitScale: value(model, "init_logit_scale", clipLogitScale)}
	dim := value(model, "embed_dim", 0)
	quick := value(model, "quick_gelu", false)
	s.LogitBias = model.has("init_logit_bias")
	s.InitLogitBias = value(model, "init_logit_bias", 0.0)
	s.CustomText = value(model, "custom_text", false)
	value(model, "nonscalar_logit_scale", false) // the shape is [1] instead of []
	value(model, "output_dict", false)           // the form of a Python result
	if !model.has("vision_cfg") {
		model.fail("%s is missing", model.name("vision_cfg"))
	}
	s.Captioner = openCLIPCaptioner(model)
	s.Vision = openCLIPVision(model.object("vision_cfg"), dim, quick)
	s.openCLIPText(model.object("text_cfg"), dim, quick)
	model.none()
	return s
}

// openCLIPPreprocess takes the size from the model, as open_clip does.
func openCLIPPreprocess(o *object, size [2]int) *vision.Preprocess {
	p := vision.CLIPPreprocess(224)
	p.Size = size
	o.only("mode", `"RGB"`)
	p.Mean = o.triple("mean", p.Mean)
	p.Std = o.triple("std", p.Std)
	// At inference "random" is bicubic. oneOf has reported the words that
	// UnmarshalText does not know.
	_ = p.Interpolation.UnmarshalText([]byte(o.oneOf("interpolation", "bicubic", "bicubic", "bicubic", "bilinear", "bilinear", "random", "bicubic")))
	_ = p.Resize.UnmarshalText([]byte(o.oneOf("resize_mode", "shortest", "shortest", "shortest", "longest", "longest", "squash", "squash")))
	fill := value(o, "fill_color", 0)
	if fill < 0 || fill > 255 {
		o.fail("%s is %d, want 0 to 255", o.name("fill_color"), fill)
	}
	p.Fill = uint8(fill)
	p.Ground = o.ground()
	_ = p.Steps.UnmarshalText([]byte(o.oneOf("steps", "open_clip", "open_clip", "open_clip", "transformers", "transformers")))
	p.Upright, p.Passes = value(o, "upright", false), o.passes()
	return p
}

// openCLIPConfig is an open_clip_config.json as it is written.
type openCLIPConfig struct {
	Model struct {
		EmbedDim       int            `json:"embed_dim"`
		QuickGELU      bool           `json:"quick_gelu,omitempty"`
		InitLogitScale float64        `json:"init_logit_scale"`
		InitLogitBias  *float64       `json:"init_logit_bias,omitempty"`
		CustomText     bool           `json:"custom_text,omitempty"`
		Vision         map[string]any `json:"vision_cfg"`
		Text           map[string]any `json:"text_cfg"`
		Multimodal     map[string]any `json:"multimodal_cfg,omitempty"`
	} `json:"model_cfg"`
	Preprocess map[string]any `json:"preprocess_cfg"`
}

func formatOpenCLIP(s *Spec) (config []byte, customText bool, err error) {
	if s.Vision == nil || s.Text == nil {
		return nil, false, unwritable(OpenCLIP, "a model of one tower")
	}
	var c openCLIPConfig
	m := &c.Model
	m.EmbedDim = s.Text.Dims().EmbedDim
	m.InitLogitScale = s.InitLogitScale
	if s.LogitBias {
		m.InitLogitBias = &s.InitLogitBias
	}
	m.QuickGELU = s.quickGELU()
	if m.Vision, customText, err = formatVision(s.Vision, m.QuickGELU); err != nil {
		return nil, false, err
	}
	if err := s.captionsFit(OpenCLIP); err != nil {
		return nil, false, err
	}
	var customToo bool
	if m.Text, customToo, err = s.formatText(); err != nil {
		return nil, false, err
	}
	m.CustomText = s.CustomText || customText || customToo
	if s.Captioner.Layers > 0 {
		m.CustomText, m.Multimodal, m.Vision["output_tokens"] = true, formatCaptioner(s.Captioner), true
	}
	p := s.Preprocess
	if p == nil {
		return nil, false, unwritable(OpenCLIP, "a model without preprocessing")
	}
	switch {
	case p.Scale != [2]int{} || p.Resize == vision.ResizeNone || p.Steps == vision.StepsTransformers && p.Size == [2]int{}:
		return nil, false, unwritable(OpenCLIP, "preprocessing that scales images to another size than they are cut to")
	case p.Interpolation > vision.Bilinear:
		return nil, false, unwritable(OpenCLIP, "the interpolation %s", p.Interpolation)
	case p.Steps == vision.StepsTransformers && p.Resize == vision.ResizeShortest && p.Size[0] != p.Size[1]:
		return nil, false, unwritable(OpenCLIP, "preprocessing of transformers that cuts images to %d×%d", p.Size[1], p.Size[0])
	}
	c.Preprocess = map[string]any{
		"size": side(p.Size), "mode": "RGB", "mean": decimals(p.Mean), "std": decimals(p.Std),
		"interpolation": p.Interpolation, "resize_mode": p.Resize, "fill_color": p.Fill,
	}
	set(c.Preprocess, "steps", p.Steps, p.Steps != vision.StepsOpenCLIP)
	set(c.Preprocess, "upright", true, p.Upright)
	set(c.Preprocess, "passes", p.Passes, p.Passes != vision.PassesRows)
	if p.Ground != nil {
		ground, err := formatGround(OpenCLIP, p.Ground)
		if err != nil {
			return nil, false, err
		}
		c.Preprocess["ground"] = ground
	}
	config, err = marshal(c)
	return config, m.CustomText, err
}

// quickGELU is the activation of both towers' own blocks; that of timm's towers and of
// transformers' encoders is another matter.
func (s *Spec) quickGELU() bool {
	switch t := s.Text.(type) {
	case text.Transformer:
		return t.Activation == nn.QuickGELU
	case text.CoCa:
		return t.Activation == nn.QuickGELU
	}
	v, ok := s.Vision.(vision.ViT)
	return ok && v.Activation == nn.QuickGELU
}

func set(m map[string]any, key string, v any, present bool) {
	if present {
		m[key] = v
	}
}

// side is a height and a width in the shortest form.
func side(s [2]int) any {
	if s[0] == s[1] {
		return s[0]
	}
	return slices.Clone(s[:])
}
