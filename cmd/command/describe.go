package command

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

type paramInfo struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// modelInfo is what "goclip info" says of a model, or of a configuration, which has no weights.
type modelInfo struct {
	Kind          string                `json:"kind"` // "model" or "configuration"
	Name          string                `json:"name,omitempty"`
	Probabilities encoder.Probabilities `json:"probabilities"` // what similarities become
	Layout        string                `json:"layout,omitempty"`
	License       string                `json:"license,omitempty"`
	EmbedDim      int                   `json:"embed_dim"`
	Parameters    int64                 `json:"parameters"`
	Weights       int64                 `json:"weights"` // numbers that are stored
	Image         *towerInfo            `json:"image_tower,omitempty"`
	Caption       *towerInfo            `json:"text_tower,omitempty"`
	Memory        memoryInfo            `json:"memory"`
	Precision     encoder.Precision     `json:"precision"` // that linear layers are computed with, or kept as
	Linear        *linearInfo           `json:"linear_layers,omitempty"`
	Vision        vision.Config         `json:"vision"`
	Text          text.Config           `json:"text"`
	Preprocess    *vision.Preprocess    `json:"preprocess"`
	Tokenizer     int                   `json:"tokenizer"` // its tokens, 0 for none
	Tokens        string                `json:"tokenizer_name,omitempty"`
	Tags          []string              `json:"pretrained,omitempty"` // names that "goclip pull" takes
	Params        []paramInfo           `json:"params"`
	Source        *pulled               `json:"source,omitempty"`
}

type towerInfo struct {
	Family       string  `json:"family"`
	ImageSize    []int   `json:"image_size,omitempty"` // height, width
	Context      int     `json:"context_length,omitempty"`
	Vocabulary   int     `json:"vocab_size,omitempty"`
	Parameters   int64   `json:"parameters"`
	MultiplyAdds float64 `json:"multiply_adds,omitempty"` // of an image or a full caption
	FLOPs        float64 `json:"flops,omitempty"`
}

// memoryInfo is in bytes.
type memoryInfo struct {
	Float32 int64 `json:"weights_float32"`
	Halves  int64 `json:"weights_halves"`
	Image   int64 `json:"pass_of_one_image,omitempty"`
	Images  int64 `json:"pass_of_8_images,omitempty"`
	Caption int64 `json:"pass_of_one_caption,omitempty"`
}

// linearInfo counts linear layers.
type linearInfo struct {
	All      int   `json:"all"`
	Integers int   `json:"integers"`
	Halves   int   `json:"halves"`
	Bytes    int64 `json:"bytes"` // that their weights take
}

func linearOf(m *encoder.Model) *linearInfo {
	var l linearInfo
	for _, p := range m.Params() {
		if !p.Adaptable() {
			continue
		}
		switch l.All++; {
		case p.Quantized():
			l.Integers++
			l.Bytes += int64(p.Size() + 12*p.Shape[0])
		case p.Halves():
			l.Halves++
			l.Bytes += 2 * int64(p.Size())
		default:
			l.Bytes += 4 * int64(p.Size())
		}
	}
	return &l
}

const several = 8

// describeConfig fills in what a configuration says.
func describeConfig(kind string, cfg encoder.Config) (*modelInfo, error) {
	cost, err := cfg.Cost()
	if err != nil {
		return nil, err
	}
	i := &modelInfo{
		Kind: kind, EmbedDim: cfg.EmbedDim(), Parameters: cost.Parameters, Weights: cost.Weights,
		Memory: memoryInfo{Float32: 4 * cost.Weights, Halves: 2 * cost.Weights},
		Vision: cfg.Vision, Text: cfg.Text, Preprocess: cfg.Preprocess,
	}
	if cfg.LogitBias != nil {
		i.Probabilities = encoder.ProbabilitiesSigmoid
	}
	if i.Memory.Image, i.Memory.Caption, err = cfg.PassBytes(1); err != nil {
		return nil, err
	}
	if cfg.Vision != nil {
		size := cfg.Vision.Dims().ImageSize
		i.Image = &towerInfo{Family: cfg.Vision.Family(), ImageSize: size[:]}
		i.Image.add(cost.Image)
		images := cfg
		images.Text = nil
		if i.Memory.Images, _, err = images.PassBytes(several); err != nil {
			return nil, err
		}
	}
	if cfg.Text != nil {
		d := cfg.Text.Dims()
		i.Caption = &towerInfo{Family: cfg.Text.Family(), Context: d.ContextLength, Vocabulary: d.VocabSize}
		i.Caption.add(cost.Text)
	}
	return i, nil
}

func (t *towerInfo) add(c encoder.TowerCost) {
	t.Parameters, t.MultiplyAdds, t.FLOPs = c.Parameters, c.MultiplyAdds, 2*c.MultiplyAdds
}

// configuration describes one of open_clip's, of a tag where it is not nil.
func (c *infoCommand) configuration(s *session, name string, tag *hub.Tag) error {
	cfg, ok := encoder.ConfigByName(name)
	if !ok {
		return input(fmt.Errorf("%s: open_clip's configuration %s is not known; goclip pull downloads the model", c.Path, name))
	}
	i, err := describeConfig("configuration", cfg)
	if err != nil {
		return err
	}
	i.Name, i.Tokens = name, encoder.TokenizerByName(name)
	for _, t := range hub.Tags() {
		if tag == nil && (t.Architecture() == name || t.Model == name) || tag != nil && t == *tag {
			i.Tags = append(i.Tags, t.Name())
		}
	}
	if c.Params {
		if i.Params, err = paramsOf(cfg); err != nil {
			return err
		}
	}
	return s.result(i, func(w io.Writer) {
		if tag != nil {
			fmt.Fprintf(w, "%s: not on this machine; goclip pull fetches it from %s\n", tag.Name(), tag.Repo)
		}
		fmt.Fprintf(w, "%s, a configuration of open_clip's\n", name)
		i.write(w)
		if len(i.Tags) > 0 {
			fmt.Fprintf(w, "%-14s %s\n", "weights", strings.Join(i.Tags, "\n               "))
		} else {
			fmt.Fprintf(w, "%-14s none are published with open_clip 3.3.0\n", "weights")
		}
	})
}

// paramsOf lists a configuration's parameters.
func paramsOf(cfg encoder.Config) (all []paramInfo, err error) {
	if cfg.Vision != nil {
		t, err := cfg.Vision.New()
		if err != nil {
			return nil, err
		}
		for _, p := range t.Params() {
			all = append(all, paramInfo{p.Name, p.Shape})
		}
	}
	if cfg.Text != nil {
		t, err := cfg.Text.New()
		if err != nil {
			return nil, err
		}
		for _, p := range t.Params() {
			all = append(all, paramInfo{p.Name, p.Shape})
		}
	}
	return all, nil
}

// model describes one, and where it came from if it has a name.
func (c *infoCommand) model(s *session, m *encoder.Model, found *hub.Model, license hub.License) error {
	cfg := m.Config()
	i, err := describeConfig("model", cfg)
	if err != nil {
		return err
	}
	if c.Params {
		for _, p := range m.Params() {
			i.Params = append(i.Params, paramInfo{p.Name, p.Shape})
		}
	}
	if tok := m.Tokenizer(); tok != nil {
		i.Tokenizer, i.Tokens = tok.VocabSize(), kindOf(tok)
	}
	i.Layout, i.Precision, i.Linear = m.Layout(), m.Precision(), linearOf(m)
	if license != (hub.License{}) {
		i.License = license.String()
	}
	if found != nil {
		p := pulledOf(found)
		i.Source = &p
	}
	return s.result(i, func(w io.Writer) {
		if found != nil {
			fmt.Fprintf(w, "%s\n%s\n", describe(found), found.Path)
		}
		fmt.Fprintf(w, "a model of %d parameters with embeddings of %d numbers\n", i.Parameters, i.EmbedDim)
		i.write(w)
		for _, p := range i.Params {
			fmt.Fprintf(w, "%s\t%v\n", p.Name, p.Shape)
		}
	})
}

// write says it all in words.
func (i *modelInfo) write(w io.Writer) {
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%-14s %s\n", what, fmt.Sprintf(format, args...))
	}
	kind := "softmax, as CLIP's: probabilities among the captions given"
	if i.Probabilities == encoder.ProbabilitiesSigmoid {
		kind = "sigmoid, as SigLIP's: a probability for each caption by itself"
	}
	line("kind", "%s", kind)
	if i.Layout != "" {
		line("layout", "%s", i.Layout)
	}
	if i.License != "" {
		line("licence", "%s", i.License)
	}
	if t := i.Image; t != nil {
		line("images", "%s, %d × %d pixels, %s parameters%s", t.Family, t.ImageSize[1], t.ImageSize[0], count(float64(t.Parameters)), t.work())
	}
	if t := i.Caption; t != nil {
		line("captions", "%s, up to %d of %d tokens, %s parameters%s", t.Family, t.Context, t.Vocabulary, count(float64(t.Parameters)), t.work())
	}
	line("embeddings", "%d numbers", i.EmbedDim)
	line("parameters", "%s", count(float64(i.Parameters)))
	kept := ""
	if i.Precision == encoder.Float32 {
		kept = ", in memory too"
	}
	line("weights take", "%s in float32%s; %s in a file of half precision", size(i.Memory.Float32), kept, size(i.Memory.Halves))
	switch i.Precision {
	case encoder.Float16, encoder.BFloat16:
		line("kept as", "%v in %d of %d linear layers, whose weights take %s, and computed in float32", i.Precision, i.Linear.Halves, i.Linear.All, size(i.Linear.Bytes))
	case encoder.Int8:
		line("computed with", "int8 in %d of %d linear layers, whose weights take %s; float32 elsewhere", i.Linear.Integers, i.Linear.All, size(i.Linear.Bytes))
	}
	var passes []string
	if i.Image != nil {
		passes = append(passes, fmt.Sprintf("%s for an image, %s for %d", size(i.Memory.Image), size(i.Memory.Images), several))
	}
	if i.Caption != nil {
		passes = append(passes, size(i.Memory.Caption)+" for a caption")
	}
	line("a pass takes", "%s", strings.Join(passes, ", "))
	if p := i.Preprocess; p != nil {
		line("preprocessing", "%s", prepared(p))
		line("photographs", "%s, unless --upright or --no-upright says otherwise", turned(p.Upright))
	}
	switch {
	case i.Tokens != "" && i.Tokenizer > 0:
		line("tokenizer", "%s, %d tokens", i.Tokens, i.Tokenizer)
	case i.Tokens != "":
		line("tokenizer", "%s", cmp.Or(map[string]string{"CLIP": "CLIP's own"}[i.Tokens], i.Tokens))
	case i.Caption != nil:
		line("tokenizer", "none, so it reads no words")
	}
	if i.Kind == "model" {
		if i.Image != nil {
			line("image tower", "%+v", i.Vision)
		}
		if i.Caption != nil {
			line("text tower", "%+v", i.Text)
		}
	}
}

// work is what a tower computes for one item, where its family counts it.
func (t *towerInfo) work() string {
	if t.FLOPs == 0 {
		return ""
	}
	return fmt.Sprintf(", %s FLOPs (%s multiply-adds)", count(t.FLOPs), count(t.MultiplyAdds))
}

func count(n float64) string {
	for _, unit := range []struct {
		n    float64
		name string
	}{{1e12, " trillion"}, {1e9, " billion"}, {1e6, " million"}, {1e3, " thousand"}} {
		if n >= unit.n {
			return fmt.Sprintf("%.4g%s", n/unit.n, unit.name)
		}
	}
	return fmt.Sprintf("%.0f", n)
}

// prepared says how images are.
func prepared(p *vision.Preprocess) string {
	if p.MaxPatches > 0 {
		return fmt.Sprintf("to at most %d patches of %d × %d pixels at about the image's shape, %v, mean %v, std %v", p.MaxPatches, p.PatchSize, p.PatchSize, p.Interpolation, p.Mean, p.Std)
	}
	return fmt.Sprintf("%v to %d × %d pixels, %v, mean %v, std %v, as %v does", p.Resize, p.Size[1], p.Size[0], p.Interpolation, p.Mean, p.Std, p.Steps)
}

// kindOf names a tokenizer by its type, such as BPE.
func kindOf(tok any) string {
	t := reflect.TypeOf(tok)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// folder reads the licence of a model's folder, or of the one that its file lies in.
func folder(path string) hub.License {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		path = filepath.Dir(path)
	}
	return hub.LicenseOf(path)
}

// similar are configurations that a name may have meant.
func similar(name string) string {
	var near []string
	for _, known := range encoder.ConfigNames() {
		if strings.Contains(strings.ToLower(known), strings.ToLower(name)) {
			near = append(near, known)
		}
	}
	if slices.Sort(near); len(near) == 0 {
		return ""
	}
	more := ""
	if len(near) > 5 {
		near, more = near[:5], ", …"
	}
	return ", nor is it a configuration of open_clip's, such as " + strings.Join(near, ", ") + more
}
