package checkpoint

import (
	"fmt"
	"os"
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
	return slices.ContainsFunc(f.weights.Names(), func(n string) bool { return strings.HasPrefix(n, prefix) })
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
			_, err := parse(f, hfConfigFile, func(b []byte) (hfClass, error) { return hfClassOf(parseObject(b)) })
			if err != nil {
				return layout{}, fmt.Errorf("%s holds no model of a known layout: %w", base, err)
			}
		}
		return layout{}, fmt.Errorf("%s holds no model of a known layout: no tensor is named vision_model.… or visual.…", base)
	}
	return layout{}, fmt.Errorf("%s beside %s is missing, and the file is not one of OpenAI's, which have a tensor input_resolution",
		openCLIPConfigFile, base)
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

// find returns the name of the file of weights in a folder.
func find(v *journal.View) (string, error) {
	var looked, known []string
	for _, l := range layouts() {
		known = append(known, l.weights...)
		if l.config != "" && !v.Exists(l.config) {
			if !slices.Contains(looked, l.config) {
				looked = append(looked, l.config)
			}
			continue
		}
		for _, name := range l.weights {
			if name == anyEpoch {
				name = lastEpoch(v.Dir())
			}
			if v.Exists(name) {
				return name, nil
			}
			looked = append(looked, name)
		}
	}
	err := fmt.Errorf("no checkpoint is here; looked for %s", strings.Join(looked, ", "))
	if other := otherWeights(v.Dir(), known); other != nil {
		err = fmt.Errorf("%w; found, but not supported in a folder: %s", err, strings.Join(other, ", "))
	}
	return "", err
}

// otherWeights lists a folder's files that look like weights but have none of the known
// names, 20 at most.
func otherWeights(dir string, known []string) []string {
	var other []string
	entries, _ := os.ReadDir(dir) // a folder that cannot be read has none
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".json":
			if !strings.HasSuffix(e.Name(), ".index.json") {
				continue
			}
		case ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".npz":
		default:
			continue
		}
		if slices.Contains(known, e.Name()) {
			continue
		}
		if len(other) == 20 {
			return append(other, "…")
		}
		other = append(other, e.Name())
	}
	return other
}
