package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
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
	hfTorchFile      = "pytorch_model.bin"
	hfTorchIndexFile = "pytorch_model.bin.index.json"
	hfPreprocessFile = "preprocessor_config.json"
	hfProcessorFile  = "processor_config.json"
)

// huggingFace is the layout of transformers.
func huggingFace() layout {
	return layout{
		name:    HuggingFace,
		config:  hfConfigFile,
		weights: []string{hfWeightsFile, hfIndexFile, hfTorchFile, hfTorchIndexFile},
		match:   func(f *files) bool { return f.has("vision_model.") || f.has("text_model.") || f.has("vision_encoder.") },
		read:    readHuggingFace,
		write:   writeHuggingFace,
		// open_clip antialiases here, transformers does not.
		positions: resizeGridSharp,
	}
}

// hfClass is one model class of transformers.
type hfClass struct {
	modelType string // of config.json
	family    string // of its image tower; empty where fits tells
	names     string // tables
	processor string // the class of its image processor, as it is written
	// match chooses between classes of one modelType, of which the first that matches
	// counts; nil takes any file.
	match func(f *files) bool
	// replace are pairs of what stands in the tables and what stands for it here.
	replace []string
	// tables, where not nil, are the tables of a checkpoint in the place of names, and pairs
	// of what its names have in the place of theirs.
	tables func(f *files) (names string, replace []string)
	// unused are prefixes of tensors that come with the class and that its features do
	// not depend on.
	unused []string
	// fits, where not nil, reports whether a model with such an image tower is of the
	// class; otherwise its text tower must be CLIP's.
	fits func(s *Spec) bool
	// written, where not nil, are the tables of a model that is written.
	written func(s *Spec) string
	read    func(root *object) Spec
	write   func(s *Spec) ([]byte, error) // refuses what the class does not compute; nil for one that is only read
}

// hfClasses lists them. Of several that hold a model it is written as the first.
func hfClasses() []hfClass {
	all := []hfClass{hfClassifier(), hfCLIP(), hfSigLIP(), hfSigLIP2(), hfMetaCLIP2(), hfChineseCLIP(), hfAltCLIP(), hfDual(), hfCLIPSeg(),
		hfALIGN(), hfBLIPRetrieval(), hfBLIP(), hfBLIP2(), hfTIPS()}
	return slices.Concat(all, hfTextTowers(), hfImageTowers())
}

// TransformersTypes lists the model_type of each class of transformers' that is read.
func TransformersTypes() []string {
	var types []string
	for _, c := range hfClasses() {
		if !slices.Contains(types, c.modelType) {
			types = append(types, c.modelType)
		}
	}
	return types
}

// holds reports whether a model's towers are those of the class, and it can be written.
func (c hfClass) holds(s *Spec) bool {
	if c.write == nil || c.family != "" && c.family != s.Vision.Family() {
		return false
	}
	if c.fits != nil {
		return c.fits(s)
	}
	_, plain := s.Text.(text.Transformer)
	return plain
}

func readHuggingFace(f *files) (Spec, naming, error) {
	var class hfClass
	s, err := parse(f, hfConfigFile, func(config []byte) (s Spec, err error) {
		s, class, err = parseHuggingFace(config, f)
		return s, err
	})
	if err != nil {
		return s, nil, err
	}
	if s.Vision != nil {
		if s.Preprocess, err = readProcessor(f, class); err != nil {
			return s, nil, err
		}
	}
	names, replace := class.names, class.replace
	if class.tables != nil {
		names, replace = class.tables(f)
	}
	table, err := readTable(names, replace...)
	if err != nil {
		return s, nil, err
	}
	return s, without{table, class.unused}, nil
}

// readProcessor reads how images are prepared; nil where the folder does not say it.
func readProcessor(f *files, class hfClass) (*vision.Preprocess, error) {
	o, name, err := processorObject(func(name string) ([]byte, error) {
		path, err := f.view.Path(name)
		if err != nil {
			return nil, err
		}
		return readConfig(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := parsePreprocessor(o, class.modelType)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// without is a naming of a file that holds tensors which are not the model's.
type without struct {
	naming
	prefixes []string
}

func (w without) unread(stored string) bool {
	return w.naming.unread(stored) || slices.ContainsFunc(w.prefixes, func(p string) bool { return strings.HasPrefix(stored, p) })
}

// parseHuggingFace reads a config.json. Absent fields have the defaults of the
// class's configurations (transformers 5.24, which are those of 4.30); those classes
// accept fields they do not know, and so does this.
func parseHuggingFace(config []byte, f *files) (Spec, hfClass, error) {
	root := parseObject(config)
	class, err := hfClassOf(root, f)
	if err != nil {
		return Spec{}, class, err
	}
	s := class.read(root)
	return s, class, root.err()
}

// hfClassOf returns the class that a config.json and the tensors beside it are of.
func hfClassOf(root *object, f *files) (hfClass, error) {
	for _, a := range list[string](root, "architectures") {
		if strings.HasSuffix(a, "ForImageClassification") && a != "CLIPForImageClassification" { // it has the tensors of an image tower
			root.fail("architectures names %s, which is not supported; known are CLIPModel, SiglipModel, CLIPForImageClassification", a)
		}
	}
	kind := value(root, "model_type", "clip")
	if strings.HasPrefix(kind, "videoprism") {
		root.fail("model_type is %q, which is not supported: it is a model of videos", kind)
		return hfClass{}, root.err()
	}
	var known []string
	for _, class := range hfClasses() {
		if class.modelType == kind && (class.match == nil || class.match(f)) {
			return class, root.err()
		}
		if !slices.Contains(known, class.modelType) {
			known = append(known, class.modelType)
		}
	}
	root.fail("model_type is %q, which is not supported; known are %s", kind, strings.Join(known, ", "))
	return hfClass{}, root.err()
}

func writeHuggingFace(s *Spec) ([]File, naming, error) {
	if s.Vision == nil || s.Text == nil {
		return nil, nil, unwritable(HuggingFace, "a model of one tower")
	}
	at := slices.IndexFunc(hfClasses(), func(c hfClass) bool { return c.holds(s) })
	if at < 0 {
		return nil, nil, unwritable(HuggingFace, "an image tower of family %s beside a text tower of family %s", s.Vision.Family(), s.Text.Family())
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
		preprocess, err := formatPreprocessor(s.Preprocess, class.processor)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, File{hfPreprocessFile, preprocess})
	}
	tables := class.names
	if class.written != nil {
		tables = class.written(s)
	}
	names, err := readTable(tables, class.replace...)
	return all, names, err
}

func hfCLIP() hfClass {
	return hfClass{
		modelType: "clip", family: "vit", names: "clip_transformers",
		processor: "CLIPImageProcessor",
		fits:      func(s *Spec) bool { return !hfMetaCLIP2().fits(s) && s.Text.Family() == "transformer" },
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

// hfText is hfTransformer with CLIPTextModel's pooling.
func hfText(o *object, dim int) text.Config {
	c := hfTransformer(o, dim)
	// Configurations written before the true id was known say 2, and CLIPTextModel
	// then takes the highest id instead.
	if c.EOSTokenID == 2 {
		c.Pool, c.EOSTokenID = text.PoolArgmax, 0
	}
	return c
}

func hfTransformer(o *object, dim int) text.Transformer {
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
		EOSTokenID:    hfID(o, "eos_token_id", 49407),
	}
	c.MLPRatio = hfRatio(o, c.Width, 2048)
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
	}{{"quick_gelu", nn.QuickGELU}, {"gelu", nn.GELU}, {"gelu_pytorch_tanh", nn.GELUTanh}, {"gelu_new", nn.GELUTanh},
		{"gelu_python", nn.GELU}, {"gelu_fast", nn.GELUTanh}, {"gelu_accurate", nn.GELUTanh}, {"gelu_python_tanh", nn.GELUTanh}}
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
	Text           any      `json:"text_config"`
	Vision         any      `json:"vision_config"`
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

	QKVBias *bool `json:"qkv_bias,omitempty"` // of ViTModel, or nil for its default
}

// hfConfigOf is the config.json of a class with the configurations of its towers.
func hfConfigOf(s *Spec, class, modelType string, image, caption any) hfConfig {
	return hfConfig{
		Architectures: []string{class}, ModelType: modelType, ProjectionDim: s.Vision.Dims().EmbedDim,
		LogitScaleInit: s.InitLogitScale, Dtype: s.dtype, Text: caption, Vision: image,
	}
}

// hfImageOf is the vision_config of CLIP's image tower. It refuses what no class with that
// tower has.
func hfImageOf(s *Spec, modelType string) (hfTower, error) {
	v := s.Vision.(vision.ViT)
	no := func(what string) (hfTower, error) { return hfTower{}, unwritable(HuggingFace, "%s", what) }
	switch {
	case v.Pool != vision.PoolClass || v.NoClassToken || v.NoLnPre:
		return no("an image tower without class token, its pooling or ln_pre")
	case v.LayerScale != 0:
		return no("an image tower with layer scale")
	case v.Proj != vision.ProjMatrix || v.NoLnPost:
		return no("an image tower with projection " + v.Proj.String() + " or without ln_post")
	case v.ImageSize[0] != v.ImageSize[1]:
		return no("an image tower that is not square")
	case s.LogitBias:
		return no("a logit bias")
	case s.Captioner.Layers > 0:
		return no("a captioner")
	}
	return hfTower{
		ModelType: modelType, Hidden: v.Width, Intermediate: nn.MLPWidth(v.Width, v.MLPRatio),
		Layers: v.Layers, Heads: v.Heads, Activation: hfActivationName(v.Activation), NormEps: v.NormEps,
		Projection: v.EmbedDim, ImageSize: v.ImageSize[0], PatchSize: v.PatchSize, Channels: 3,
	}, nil
}

// hfTextOf is the text_config of CLIP's text tower.
func hfTextOf(t text.Transformer, modelType string, eos int32) (hfTower, error) {
	no := func(what string) (hfTower, error) { return hfTower{}, unwritable(HuggingFace, "%s", what) }
	switch {
	case t.Mask != text.MaskCausal:
		return no("the text tower's mask " + t.Mask.String())
	case t.Pool != text.PoolArgmax && t.Pool != text.PoolEOS:
		return no("the text tower's pooling " + t.Pool.String())
	case t.Proj == text.ProjLinear:
		return no("a text projection with bias")
	case t.Proj != text.ProjMatrix:
		return no("a text tower without projection")
	}
	return hfTower{
		ModelType: modelType, Hidden: t.Width, Intermediate: nn.MLPWidth(t.Width, t.MLPRatio),
		Layers: t.Layers, Heads: t.Heads, Activation: hfActivationName(t.Activation), NormEps: t.NormEps,
		Projection: t.EmbedDim, MaxPositions: t.ContextLength, VocabSize: t.VocabSize, EOS: &eos,
	}, nil
}

func formatHuggingFace(s *Spec) ([]byte, error) {
	t := s.Text.(text.Transformer)
	eos := t.EOSTokenID
	switch {
	case t.Pool == text.PoolArgmax:
		eos = 2
	case t.Pool == text.PoolEOS && eos == 2:
		return nil, unwritable(HuggingFace, "the end token's id 2, which stands for the highest id there,")
	}
	caption, err := hfTextOf(t, "clip_text_model", eos)
	if err != nil {
		return nil, err
	}
	image, err := hfImageOf(s, "clip_vision_model")
	if err != nil {
		return nil, err
	}
	if s.HFTokenizer != "" || s.TextClean != "" {
		return nil, unwritable(HuggingFace, "another tokenizer than CLIP's")
	}
	return marshal(hfConfigOf(s, "CLIPModel", "clip", image, caption))
}
