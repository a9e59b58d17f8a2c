package checkpoint

import (
	"math"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// parseHuggingFace reads the config.json of a CLIPModel. Absent fields have the
// defaults of CLIPConfig, CLIPVisionConfig and CLIPTextConfig (transformers
// 4.40); those classes accept fields they do not know, and so does this.
func parseHuggingFace(config []byte) (Spec, error) {
	root := parseObject(config)
	root.oneOf("model_type", "clip", "clip", "")
	dim := value(root, "projection_dim", 512)
	s := Spec{
		Layout:         HuggingFace,
		InitLogitScale: value(root, "logit_scale_init_value", 2.6592),
		Vision:         hfVision(root.either("vision_config_dict", "vision_config"), dim),
		Text:           hfText(root.either("text_config_dict", "text_config"), dim),
	}
	if err := root.err(); err != nil {
		return Spec{}, err
	}
	return s, nil
}

// either returns the first of two objects that is there. CLIPConfig lets the
// old form of a tower's configuration, where present, override the new one
// completely, defaults of its class included.
func (o *object) either(first, second string) *object {
	if o.has(first) {
		return o.object(first)
	}
	return o.object(second)
}

func hfVision(o *object, dim int) vision.Config {
	o.only("num_channels", "3")
	c := vision.Config{
		PatchSize:  value(o, "patch_size", 32),
		Width:      value(o, "hidden_size", 768),
		Layers:     value(o, "num_hidden_layers", 12),
		Heads:      value(o, "num_attention_heads", 12),
		EmbedDim:   dim,
		Activation: hfActivation(o),
		NormEps:    value(o, "layer_norm_eps", 1e-5),
		Pool:       "tok",
	}
	side := value(o, "image_size", 224)
	c.ImageSize = [2]int{side, side}
	c.MLPRatio = hfRatio(o, c.Width, 3072)
	return c
}

func hfText(o *object, dim int) text.Config {
	c := text.Config{
		ContextLength: value(o, "max_position_embeddings", 77),
		VocabSize:     value(o, "vocab_size", 49408),
		Width:         value(o, "hidden_size", 512),
		Layers:        value(o, "num_hidden_layers", 12),
		Heads:         value(o, "num_attention_heads", 8),
		EmbedDim:      dim,
		Activation:    hfActivation(o),
		NormEps:       value(o, "layer_norm_eps", 1e-5),
		Mask:          "causal",
		Pool:          "eos",
	}
	c.MLPRatio = hfRatio(o, c.Width, 2048)
	// Configurations written before the true id was known say 2, and CLIPTextModel
	// then takes the highest id instead.
	id := value(o, "eos_token_id", 49407)
	if id == 2 {
		c.Pool, id = "argmax", 0
	}
	if id < 0 || id > math.MaxInt32 {
		o.fail("%s is %d, want a token's id", o.name("eos_token_id"), id)
	}
	c.EOSTokenID = int32(id)
	return c
}

func hfActivation(o *object) string {
	return o.oneOf("hidden_act", "quick_gelu",
		"quick_gelu", "quick_gelu", "gelu", "gelu", "gelu_pytorch_tanh", "gelu_tanh", "gelu_new", "gelu_tanh")
}

// hfRatio returns the width of the MLP as a multiple of the tower's.
func hfRatio(o *object, width, def int) float64 {
	hidden := value(o, "intermediate_size", def)
	if width < 1 || hidden < 1 || hidden > maxDim {
		o.fail("%s is %d and hidden_size %d, want positive numbers", o.name("intermediate_size"), hidden, width)
		return 0
	}
	return float64(hidden) / float64(width)
}

// parsePreprocessor reads a preprocessor_config.json of either generation of
// CLIPImageProcessor. Pictures are cut as torchvision does, which is what that
// class's fast variant and the original do; the slow one may cut one pixel
// further up or left where the margin is odd. The field ground is goclip's own,
// which that class keeps and does not use.
func parsePreprocessor(config []byte) (*vision.Preprocess, error) {
	o := parseObject(config)
	p := vision.CLIPPreprocess(224)
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
	switch r := value(o, "resample", 3); r {
	case 2:
		p.Interpolation = vision.Bilinear
	case 3:
		p.Interpolation = vision.Bicubic
	default:
		o.fail("resample is %d, want 2 (bilinear) or 3 (bicubic)", r)
	}
	p.Ground = o.ground()
	size, shortest := o.edges("size")
	crop := value(o, "do_center_crop", true)
	cut, _ := o.edges("crop_size")
	p.Size, p.Resize = cut, vision.ResizeShortest
	if !shortest {
		p.Size, p.Resize = size, vision.ResizeSquash
	}
	switch {
	case shortest && !crop:
		o.fail("size gives the shorter side, but do_center_crop is false: pictures would differ in shape")
	case crop && shortest && size[0] != min(cut[0], cut[1]):
		o.fail("pictures are scaled to %d pixels and cut to %d×%d, which is not supported; want the same number", size[0], cut[1], cut[0])
	case crop && shortest && cut[0] != cut[1]:
		o.fail("crop_size is %d×%d beside a shortest_edge, want a square", cut[1], cut[0])
	case crop && !shortest && cut != size:
		o.fail("pictures are scaled to %d×%d and cut to %d×%d, which is not supported; want the same", size[1], size[0], cut[1], cut[0])
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// edges reads a size: a number, in which case it is the shorter side, or an
// object.
func (o *object) edges(key string) (size [2]int, shortest bool) {
	switch {
	case !o.has(key):
		return [2]int{224, 224}, true
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

// hfConfig, hfTower and hfProcessor are the files as they are written.
type hfConfig struct {
	Architectures  []string `json:"architectures"`
	ModelType      string   `json:"model_type"`
	ProjectionDim  int      `json:"projection_dim"`
	LogitScaleInit float64  `json:"logit_scale_init_value"`
	Dtype          string   `json:"torch_dtype"`
	Text           hfTower  `json:"text_config"`
	Vision         hfTower  `json:"vision_config"`
}

type hfTower struct {
	ModelType    string  `json:"model_type"`
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Activation   string  `json:"hidden_act"`
	NormEps      float64 `json:"layer_norm_eps"`
	Projection   int     `json:"projection_dim"`

	MaxPositions int    `json:"max_position_embeddings,omitempty"`
	VocabSize    int    `json:"vocab_size,omitempty"`
	EOS          *int32 `json:"eos_token_id,omitempty"`

	ImageSize int `json:"image_size,omitempty"`
	PatchSize int `json:"patch_size,omitempty"`
	Channels  int `json:"num_channels,omitempty"`
}

func formatHuggingFace(s *Spec) ([]byte, error) {
	v, t := &s.Vision, &s.Text
	no := func(what string) ([]byte, error) { return nil, unwritable(HuggingFace, "%s", what) }
	switch {
	case v.Stages != nil:
		return no("a ResNet")
	case v.Pool != "tok" || v.NoClassToken || v.NoLnPre:
		return no("an image tower without class token, its pooling or ln_pre")
	case v.ImageSize[0] != v.ImageSize[1]:
		return no("an image tower that is not square")
	case t.Mask != "causal":
		return no("the text tower's mask " + t.Mask)
	case t.Pool != "argmax" && t.Pool != "eos":
		return no("the text tower's pooling " + t.Pool)
	case t.ProjBias:
		return no("a text projection with bias")
	case s.LogitBias:
		return no("a logit bias")
	case t.Pool == "eos" && t.EOSTokenID == 2:
		return no("the end token's id 2, which stands for the highest id there,")
	case s.HFTokenizer != "" || s.TextClean != "":
		return no("another tokenizer than CLIP's")
	}
	eos := t.EOSTokenID
	if t.Pool == "argmax" {
		eos = 2
	}
	c := hfConfig{
		Architectures: []string{"CLIPModel"}, ModelType: "clip", ProjectionDim: v.EmbedDim,
		LogitScaleInit: s.InitLogitScale, Dtype: "float32",
		Text: hfTower{
			ModelType: "clip_text_model", Hidden: t.Width, Intermediate: nn.MLPWidth(t.Width, t.MLPRatio),
			Layers: t.Layers, Heads: t.Heads, Activation: hfActivationName(t.Activation), NormEps: t.NormEps,
			Projection: t.EmbedDim, MaxPositions: t.ContextLength, VocabSize: t.VocabSize, EOS: &eos,
		},
		Vision: hfTower{
			ModelType: "clip_vision_model", Hidden: v.Width, Intermediate: nn.MLPWidth(v.Width, v.MLPRatio),
			Layers: v.Layers, Heads: v.Heads, Activation: hfActivationName(v.Activation), NormEps: v.NormEps,
			Projection: v.EmbedDim, ImageSize: v.ImageSize[0], PatchSize: v.PatchSize, Channels: 3,
		},
	}
	return marshal(c)
}

func hfActivationName(act string) string {
	if act == "gelu_tanh" {
		return "gelu_pytorch_tanh"
	}
	return act
}

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

func formatPreprocessor(p *vision.Preprocess) ([]byte, error) {
	box := map[string]int{"height": p.Size[0], "width": p.Size[1]}
	c := hfProcessor{
		Type: "CLIPImageProcessor", RGB: true, Normalize: true, Rescale: true, Resize: true,
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
		return nil, unwritable(HuggingFace, "preprocessing that pads pictures")
	case p.Resize != vision.ResizeSquash:
		c.Crop, c.CropSize, c.Size = true, box, map[string]int{"shortest_edge": min(p.Size[0], p.Size[1])}
	}
	return marshal(c)
}
