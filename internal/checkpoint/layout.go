package checkpoint

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/journal"
)

// layout is a way in which a checkpoint lies on a disk.
type layout struct {
	name    string
	config  string   // its main configuration file; empty where it needs none
	weights []string // files of weights in order of preference; Save writes the first
	// match tells by the names of tensors and files whether a checkpoint is of it.
	match func(f *files) bool
	// read returns what the checkpoint says, and what its tensors are called.
	read func(f *files) (Spec, naming, error)
	// write returns the files beside the weights; nil for a layout that is only read.
	write func(s *Spec) ([]File, naming, error)
	// positions resizes a grid of positions, from[0]·from[1] vectors, as the layout's
	// reference does.
	positions func(x []float32, from, to [2]int, width int) []float32
}

// layouts are all of them; where a folder holds several, the first counts.
func layouts() []layout {
	return []layout{own(), openCLIP(), huggingFace(), mCLIP(), sentenceTransformers(), openAI()}
}

// files is what a checkpoint consists of: a folder, and the open weights in it.
type files struct {
	view     *journal.View // of the folder
	path     string        // of the weights
	weights  weights
	families Families

	architecture string // of open_clip's weights without a configuration
}

// has reports whether a tensor's name begins with prefix.
func (f *files) has(prefix string) bool {
	return f.weights != nil && slices.ContainsFunc(f.weights.Names(), func(n string) bool { return strings.HasPrefix(n, prefix) })
}

func (f *files) exists(name string) bool { return f.view.Exists(name) }

// parse reads a JSON file of the checkpoint.
func parse[T any](f *files, name string, parse func([]byte) (T, error)) (T, error) {
	var none T
	path, err := f.view.Path(name)
	if err != nil {
		return none, err
	}
	b, err := readConfig(path)
	if err != nil {
		return none, err
	}
	v, err := parse(b)
	if err != nil {
		return none, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// identify finds the layout of a checkpoint.
func identify(f *files) (layout, error) {
	for _, l := range layouts() {
		if l.match(f) {
			return l, nil
		}
	}
	base := filepath.Base(f.path)
	if !f.has("visual.") {
		if f.exists(hfConfigFile) {
			_, err := parse(f, hfConfigFile, func(b []byte) (hfClass, error) { return hfClassOf(parseObject(b), f) })
			if err != nil {
				return layout{}, fmt.Errorf("%s holds no model of a known layout: %w", base, err)
			}
		}
		return layout{}, fmt.Errorf("%s holds no model of a known layout: no tensor is named vision_model.… or visual.…", base)
	}
	return layout{}, fmt.Errorf("%s beside %s is missing: put the model's configuration there, or in Go name it as Options.Architecture; "+
		"or, if it is a model of OpenAI's after fine-tuning, whose shapes say all, call the file model.pt", openCLIPConfigFile, base)
}

// layoutNamed returns a layout that can be written.
func layoutNamed(name string) (layout, error) {
	var known []string
	for _, l := range layouts() {
		if l.write == nil {
			continue
		}
		if l.name == name {
			return l, nil
		}
		known = append(known, l.name)
	}
	return layout{}, fmt.Errorf("layout %q, want %s", name, strings.Join(known, ", "))
}
