package checkpoint

import (
	"math"
	"slices"
	"strings"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

const (
	hfConfigFile     = "config.json"
	hfWeightsFile    = "model.safetensors"
	hfIndexFile      = "model.safetensors.index.json"
	hfPreprocessFile = "preprocessor_config.json"
)

// huggingFace is the layout of transformers.
func huggingFace() layout {
	return layout{
		name:    HuggingFace,
		config:  hfConfigFile,
		weights: []string{hfWeightsFile, hfIndexFile, "pytorch_model.bin"},
		match:   func(f *files) bool { return f.has("vision_model.") },
		read:    readHuggingFace,
		write:   writeHuggingFace,
		// open_clip antialiases here, transformers does not.
		positions: resizeGridSharp,
	}
}

// hfClass is one model class of transformers.
type hfClass struct {
	modelType string // of config.json
	family    string // of its image tower
	names     string // table
	processor processor
	read      func(root *object) Spec
	write     func(s *Spec) ([]byte, error) // refuses what the class does not compute
}

func hfClasses() []hfClass { return []hfClass{hfCLIP(), hfSigLIP()} }

func readHuggingFace(f *files) (Spec, naming, error) {
	var class hfClass
	s, err := parse(f, hfConfigFile, func(config []byte) (s Spec, err error) {
		s, class, err = parseHuggingFace(config)
		return s, err
	})
	if err != nil {
		return s, nil, err
	}
	if f.exists(hfPreprocessFile) {
		s.Preprocess, err = parse(f, hfPreprocessFile, func(config []byte) (*vision.Preprocess, error) {
			return parsePreprocessor(config, class)
		})
		if err != nil {
			return s, nil, err
		}
	}
	names, err := readTable(class.names)
	return s, names, err
}

// parseHuggingFace reads a config.json. Absent fields have the defaults of the
// class's configurations (transformers 5.24, which are those of 4.30); those classes
// accept fields they do not know, and so does this.
func parseHuggingFace(config []byte) (Spec, hfClass, error) {
	root := parseObject(config)
	class, err := hfClassOf(root)
	if err != nil {
		return Spec{}, class, err
	}
	s := class.read(root)
	return s, class, root.err()
}

// hfClassOf returns the class that a config.json names.
func hfClassOf(root *object) (hfClass, error) {
	for _, a := range list[string](root, "architectures") {
		if strings.HasSuffix(a, "ForImageClassification") { // it has the tensors of an image tower
			root.fail("architectures names %s, which is not supported; known are CLIPModel, SiglipModel", a)
		}
	}
	kind := value(root, "model_type", "clip")
	var known []string
	for _, class := range hfClasses() {
		if class.modelType == kind {
			return class, root.err()
		}
		known = append(known, class.modelType)
	}
	root.fail("model_type is %q, which is not supported; known are %s", kind, strings.Join(known, ", "))
	return hfClass{}, root.err()
}

func writeHuggingFace(s *Spec) ([]File, naming, error) {
	if s.Vision == nil || s.Text == nil {
		return nil, nil, unwritable(HuggingFace, "a model of one tower")
	}
	at := slices.IndexFunc(hfClasses(), func(c hfClass) bool { return c.family == s.Vision.Family() })
	if at < 0 {
		return nil, nil, unwritable(HuggingFace, "an image tower of family %s", s.Vision.Family())
	}
	class := hfClasses()[at]
	config, err := class.write(s)
	if err != nil {
		return nil, nil, err
	}
	if err := s.captionsFit(HuggingFace); err != nil {
		return nil, nil, err
	}
	all := []File{{hfConfigFile, config}}
	if s.Preprocess != nil {
		preprocess, err := formatPreprocessor(s.Preprocess, class)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, File{hfPreprocessFile, preprocess})
	}
	names, err := readTable(class.names)
	return all, names, err
}

func hfCLIP() hfClass {
	return hfClass{
		modelType: "clip", family: "vit", names: "clip_transformers",
		processor: processor{"CLIPImageProcessor", *vision.CLIPPreprocess(224), true},
		read: func(root *object) Spec {
			dim := value(root, "projection_dim", 512)
			return Spec{
				InitLogitScale: value(root, "logit_scale_init_value", 2.6592),
				Vision:         hfVision(root.either("vision_config_dict", "vision_config"), dim),
				Text:           hfText(root.either("text_config_dict", "text_config"), dim),
			}
		},
		write: formatHuggingFace,
	}
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
	c := vision.ViT{
		PatchSize:  value(o, "patch_size", 32),
		Width:      value(o, "hidden_size", 768),
		Layers:     value(o, "num_hidden_layers", 12),
		Heads:      value(o, "num_attention_heads", 12),
		EmbedDim:   dim,
		Activation: hfActivation(o, nn.QuickGELU),
		NormEps:    value(o, "layer_norm_eps", 1e-5),
		Pool:       vision.PoolClass,
	}
	side := value(o, "image_size", 224)
	c.ImageSize = [2]int{side, side}
	c.MLPRatio = hfRatio(o, c.Width, 3072)
	return c
}

func hfText(o *object, dim int) text.Config {
	c := text.Transformer{
		ContextLength: value(o, "max_position_embeddings", 77),
		VocabSize:     value(o, "vocab_size", 49408),
		Width:         value(o, "hidden_size", 512),
		Layers:        value(o, "num_hidden_layers", 12),
		Heads:         value(o, "num_attention_heads", 8),
		EmbedDim:      dim,
		Activation:    hfActivation(o, nn.QuickGELU),
		NormEps:       value(o, "layer_norm_eps", 1e-5),
		Mask:          text.MaskCausal,
		Pool:          text.PoolEOS,
	}
	c.MLPRatio = hfRatio(o, c.Width, 2048)
	// Configurations written before the true id was known say 2, and CLIPTextModel
	// then takes the highest id instead.
	id := value(o, "eos_token_id", 49407)
	if id == 2 {
		c.Pool, id = text.PoolArgmax, 0
	}
	if id < 0 || id > math.MaxInt32 {
		o.fail("%s is %d, want a token's id", o.name("eos_token_id"), id)
	}
	c.EOSTokenID = int32(id)
	return c
}

// hfActivations are transformers' names, of which the first of several is written.
func hfActivations() []struct {
	name string
	act  nn.Activation
} {
	return []struct {
		name string
		act  nn.Activation
	}{{"quick_gelu", nn.QuickGELU}, {"gelu", nn.GELU}, {"gelu_pytorch_tanh", nn.GELUTanh}, {"gelu_new", nn.GELUTanh}}
}

func hfActivation(o *object, def nn.Activation) nn.Activation {
	name := value(o, "hidden_act", hfActivationName(def))
	var known []string
	for _, a := range hfActivations() {
		if a.name == name {
			return a.act
		}
		known = append(known, a.name)
	}
	o.fail("%s is %q, which is not supported; known are %s", o.name("hidden_act"), name, strings.Join(known, ", "))
	return def
}

func hfActivationName(act nn.Activation) string {
	for _, a := range hfActivations() {
		if a.act == act {
			return a.name
		}
	}
	return ""
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

// hfConfig and hfTower are a config.json as it is written.
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
	Projection   int     `json:"projection_dim,omitempty"`

	MaxPositions int    `json:"max_position_embeddings,omitempty"`
	VocabSize    int    `json:"vocab_size,omitempty"`
	EOS          *int32 `json:"eos_token_id,omitempty"`

	ImageSize int `json:"image_size,omitempty"`
	PatchSize int `json:"patch_size,omitempty"`
	Channels  int `json:"num_channels,omitempty"`
}

func formatHuggingFace(s *Spec) ([]byte, error) {
	no := func(what string) ([]byte, error) { return nil, unwritable(HuggingFace, "%s", what) }
	v := s.Vision.(vision.ViT)
	t, plain := s.Text.(text.Transformer)
	switch {
	case !plain:
		return no("a text tower of family " + s.Text.Family())
	case v.Pool != vision.PoolClass || v.NoClassToken || v.NoLnPre:
		return no("an image tower without class token, its pooling or ln_pre")
	case v.LayerScale != 0:
		return no("an image tower with layer scale")
	case v.ImageSize[0] != v.ImageSize[1]:
		return no("an image tower that is not square")
	case t.Mask != text.MaskCausal:
		return no("the text tower's mask " + t.Mask.String())
	case t.Pool != text.PoolArgmax && t.Pool != text.PoolEOS:
		return no("the text tower's pooling " + t.Pool.String())
	case t.Proj == text.ProjLinear:
		return no("a text projection with bias")
	case t.Proj != text.ProjMatrix:
		return no("a text tower without projection")
	case s.LogitBias:
		return no("a logit bias")
	case t.Pool == text.PoolEOS && t.EOSTokenID == 2:
		return no("the end token's id 2, which stands for the highest id there,")
	case s.HFTokenizer != "" || s.TextClean != "":
		return no("another tokenizer than CLIP's")
	}
	eos := t.EOSTokenID
	if t.Pool == text.PoolArgmax {
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
