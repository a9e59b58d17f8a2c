package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/internal/torchfile"
)

// Options change how a checkpoint is read. Nil means the zero value.
type Options struct {
	// ImageSize, where not zero, is the height and width the image tower shall
	// read instead of its own, and ContextLength the text tower's number of
	// positions. The Spec then says so, and Fill resizes the position embeddings
	// as open_clip does. A ResNet cannot be resized.
	ImageSize     [2]int
	ContextLength int

	// Own gives every parameter memory of its own. Otherwise Fill may hand out
	// views of the mapped file, which must not be written to and end at Close.
	Own bool
}

// Checkpoint is an open checkpoint. Its methods may be called from several
// goroutines at once, Close excepted.
type Checkpoint struct {
	spec    Spec
	stored  Spec // as the files say, before Options
	opts    Options
	dir     string
	path    string // of the weights
	weights weights
	names   naming
}

// weights is what files of tensors have in common.
type weights interface {
	Names() []string
	Info(name string) (info tensorfile.Info, ok bool)
	Float32(name string, dst []float32) error
	View(name string) (v []float32, ok bool)
	Release(name string)
	Close() error
}

// Names of the files of a checkpoint.
const (
	openCLIPConfigFile  = "open_clip_config.json"
	openCLIPWeightsFile = "open_clip_model.safetensors"
	hfConfigFile        = "config.json"
	hfWeightsFile       = "model.safetensors"
	hfIndexFile         = "model.safetensors.index.json"
	hfPreprocessFile    = "preprocessor_config.json"
)

// Open opens a folder, or a file of weights with its configuration beside it.
// It reads the configuration and the names and shapes of all tensors, and checks
// that the towers can compute what the model computes; it reads no weights.
//
// In a folder with weights of several layouts open_clip's come first. Of several
// training checkpoints epoch_N.pt the last counts, and without any of them
// epoch_latest.pt. OpenAI's files need no configuration: theirs follows from the
// shapes.
func Open(path string, opts *Options) (*Checkpoint, error) {
	c := &Checkpoint{dir: path}
	if opts != nil {
		c.opts = *opts
	}
	err := c.open(path)
	if err == nil {
		return c, nil
	}
	if c.weights != nil {
		err = errors.Join(err, c.weights.Close())
	}
	return nil, fmt.Errorf("checkpoint: %s: %w", path, err)
}

func (c *Checkpoint) open(path string) error {
	stat, err := os.Stat(path)
	if err != nil {
		return err
	}
	c.path = path
	if stat.IsDir() {
		if c.path, err = find(path); err != nil {
			return err
		}
	}
	c.dir = filepath.Dir(c.path)
	if c.weights, err = openWeights(c.path); err != nil {
		return err
	}
	if err := c.identify(); err != nil {
		return err
	}
	if err := c.stored.Validate(); err != nil {
		return err
	}
	return c.resize()
}

// Spec returns what the checkpoint says about the model.
func (c *Checkpoint) Spec() Spec {
	s := c.spec
	if s.Preprocess != nil {
		p := *s.Preprocess
		s.Preprocess = &p
	}
	s.Vision.Stages = slices.Clone(s.Vision.Stages)
	return s
}

// TokenizerFS returns the folder of the checkpoint, where its tokenizer lies if
// it came with one.
func (c *Checkpoint) TokenizerFS() fs.FS { return os.DirFS(c.dir) }

// Close closes the file. Parameters that Fill gave views of it must not be used
// any more, unless Options.Own was set.
func (c *Checkpoint) Close() error { return c.weights.Close() }

// find returns the file of weights in a folder.
func find(dir string) (string, error) {
	var looked []string
	for _, layout := range []struct {
		config string
		files  []string // in order of preference
	}{
		{openCLIPConfigFile, []string{openCLIPWeightsFile, "open_clip_pytorch_model.safetensors",
			"open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth", lastEpoch(dir), "epoch_latest.pt"}},
		{hfConfigFile, []string{hfWeightsFile, hfIndexFile, "pytorch_model.bin"}},
		{"", []string{"model.pt", "state_dict.pt"}},
	} {
		if layout.config != "" && !exists(dir, layout.config) {
			looked = append(looked, layout.config)
			continue
		}
		for _, name := range layout.files {
			if exists(dir, name) {
				return filepath.Join(dir, name), nil
			}
			looked = append(looked, name)
		}
	}
	return "", fmt.Errorf("no checkpoint is here; looked for %s", strings.Join(looked, ", "))
}

// lastEpoch returns the name of the latest checkpoint of open_clip's training.
func lastEpoch(dir string) string {
	last, name := -1, "epoch_N.pt"
	entries, _ := os.ReadDir(dir) // a folder that cannot be read has none
	for _, e := range entries {
		stem, pt := strings.CutSuffix(e.Name(), ".pt")
		number, epoch := strings.CutPrefix(stem, "epoch_")
		if n, err := strconv.Atoi(number); pt && epoch && err == nil && n > last {
			last, name = n, e.Name()
		}
	}
	return name
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func openWeights(path string) (weights, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".safetensors":
		return opened(safetensors.Open(path))
	case ".json":
		if strings.HasSuffix(path, ".index.json") {
			return opened(safetensors.OpenSharded(path))
		}
	case ".pt", ".pth", ".bin":
		return opened(torchfile.Open(path))
	}
	return nil, fmt.Errorf("%s: the name of a file of weights ends in .safetensors, .index.json, .pt, .pth or .bin", filepath.Base(path))
}

// opened keeps a nil *File from becoming weights that are not nil.
func opened[F weights](f F, err error) (weights, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// identify finds the layout by the names of the tensors and reads the
// configuration that goes with it.
func (c *Checkpoint) identify() (err error) {
	names := c.weights.Names()
	has := func(prefix string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix) })
	}
	if has("vision_model.") {
		c.names = huggingFaceNames()
		c.stored, err = c.config(hfConfigFile, parseHuggingFace)
		if err != nil || !exists(c.dir, hfPreprocessFile) {
			return err
		}
		_, err = c.config(hfPreprocessFile, func(b []byte) (Spec, error) {
			c.stored.Preprocess, err = parsePreprocessor(b)
			return Spec{}, err
		})
		return err
	}
	p := prefixed{}
	if has("module.") {
		p.all = "module."
	}
	if has(p.all + "text.") {
		p.text = "text."
	}
	c.names = p
	if !has(p.all + "visual.") {
		return fmt.Errorf("%s holds no model of a known layout: no tensor is named vision_model.… or visual.…", filepath.Base(c.path))
	}
	if exists(c.dir, openCLIPConfigFile) {
		c.stored, err = c.config(openCLIPConfigFile, parseOpenCLIP)
		c.stored.CustomText = p.text != ""
		return err
	}
	if has("input_resolution") {
		c.stored, err = openAISpec(c.weights)
		return err
	}
	return fmt.Errorf("%s beside %s is missing, and the file is not one of OpenAI's, which have a tensor input_resolution",
		openCLIPConfigFile, filepath.Base(c.path))
}

// config parses a JSON file of the checkpoint.
func (c *Checkpoint) config(name string, parse func([]byte) (Spec, error)) (Spec, error) {
	b, err := readConfig(filepath.Join(c.dir, name))
	if err != nil {
		return Spec{}, err
	}
	s, err := parse(b)
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// resize applies the options to the spec.
func (c *Checkpoint) resize() error {
	c.spec = c.stored
	if size := c.opts.ImageSize; size != [2]int{} {
		if c.spec.Vision.Stages != nil && size != c.spec.Vision.ImageSize {
			return fmt.Errorf("image size %v: a ResNet's position embeddings cannot be resized", size)
		}
		c.spec.Vision.ImageSize = size
		if p := c.stored.Preprocess; p != nil {
			q := *p
			q.Size = size
			c.spec.Preprocess = &q
		}
	}
	if n := c.opts.ContextLength; n != 0 {
		c.spec.Text.ContextLength = n
	}
	return c.spec.Validate()
}
