package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// modelEntry is what the index.json beside checkpoints says of a model.
type modelEntry struct {
	Reference  string
	Family     string
	Weights    string // "formula": they are made here
	Seed       uint64
	Tensors    int
	Parameters int
	Config     struct{ Vocab int }
	Pixels     struct{ Shape []int } `json:"pixel_values"` // by formula
	Texts      []string              // whose ids are input_ids
	Pictures   []string              // that pixel_values are of
}

// large is the number of parameters from which a model by formula is of full size.
const large = 40e6

// readModelIndex reads index.json, which need not be there. Entries whose values are
// of other types than these count as empty: the trees differ in what they say.
func readModelIndex(checkpoints string) (map[string]modelEntry, error) {
	path := filepath.Join(checkpoints, "index.json")
	if !exists(path) {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	if err := readJSON(path, &raw); err != nil {
		return nil, err
	}
	index := make(map[string]modelEntry)
	for name, b := range raw {
		var e modelEntry
		if err := json.Unmarshal(b, &e); err != nil {
			var fields struct{ Reference, Family string }
			_ = json.Unmarshal(b, &fields)
			e = modelEntry{Reference: fields.Reference, Family: fields.Family}
		}
		index[name] = e
	}
	return index, nil
}

// modelGroup names the group of a model: its family, or else the class or program
// that computed what is expected.
func modelGroup(index map[string]modelEntry, name string) string {
	e := index[name]
	if e.Family != "" {
		return "family:" + e.Family
	}
	words := strings.Fields(strings.NewReplacer(",", " ", ";", " ").Replace(e.Reference))
	switch {
	case len(words) < 2 || strings.Contains(words[0], "/") || strings.Contains(words[0], "_"):
		return "models" // openai/CLIP, open_clip
	case words[0] == "as" && index[words[1]].Reference != "":
		return modelGroup(index, words[1])
	case words[0] == "transformers":
		return "class:" + words[1]
	}
	return "class:" + words[0] // a program on top of transformers
}

// modelFolder is one model of a tree.
type modelFolder struct {
	root, name, group string
	entry             modelEntry
}

func (m *modelFolder) checkpoint() string { return filepath.Join(m.root, "checkpoints", m.name) }

// activations is the file of what the model computes; suffix tells several apart.
func (m *modelFolder) activations(suffix string) string {
	return filepath.Join(m.root, "activations", m.name+suffix+".safetensors")
}

// modelCases pairs every file of weights with its model's activations.
func (o *options) modelCases(dir string) ([]testCase, error) {
	checkpoints := filepath.Join(dir, "checkpoints")
	index, err := readModelIndex(checkpoints)
	if err != nil {
		return nil, err
	}
	names, err := listed(checkpoints, index)
	if err != nil {
		return nil, err
	}
	var cases []testCase
	for _, name := range names {
		m := &modelFolder{dir, name, modelGroup(index, name), index[name]}
		switch {
		case m.entry.Weights != "formula":
			cases = append(cases, m.cases()...)
		case m.entry.Parameters >= large && !o.full:
			o.leftOut++
		default:
			cases = append(cases, m.formulaCases()...)
		}
	}
	cases = append(cases, strangers(checkpoints, unknown, "checkpoints", func(file string) bool {
		return file == "index.json" || slices.Contains(names, file)
	})...)
	for _, folder := range []string{"activations", "stages", "naflex"} {
		cases = append(cases, strangers(filepath.Join(dir, folder), unknown, folder, func(file string) bool {
			stem, ok := strings.CutSuffix(file, ".safetensors")
			if folder == "activations" {
				stem = strings.TrimSuffix(strings.TrimSuffix(stem, ".intermediates"), ".fp16")
			}
			return ok && slices.Contains(names, stem)
		})...)
	}
	return cases, nil
}

// listed returns the models of a folder: the folders in it, and what its index
// promises.
func listed(checkpoints string, index map[string]modelEntry) ([]string, error) {
	entries, err := os.ReadDir(checkpoints)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if isDir(filepath.Join(checkpoints, e.Name())) && !document(e.Name()) {
			names = append(names, e.Name())
		}
	}
	for name := range index {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// cases are those of a stored model.
func (m *modelFolder) cases() []testCase {
	paths, strange := m.loads()
	prefix := "checkpoints/" + m.name
	var cases []testCase
	for _, file := range strange {
		cases = append(cases, broken(m.group, prefix+"/"+file, errors.New("no case uses this file")))
	}
	if len(paths) == 0 {
		cases = append(cases, broken(m.group, prefix, errors.New("no weights are here")))
	}
	for _, path := range paths {
		rel, _ := filepath.Rel(filepath.Join(m.root, "checkpoints"), path)
		cases = append(cases, m.pathCases(path, "checkpoints/"+filepath.ToSlash(rel))...)
	}
	return cases
}

// pathCases are the cases of a model that is loaded from path.
func (m *modelFolder) pathCases(path, id string) []testCase {
	expected := m.activations("")
	if half := m.activations(".fp16"); strings.Contains(filepath.Base(path), ".fp16.") && exists(half) {
		expected = half
	}
	add := func(cases *[]testCase, what string, run func(ctx context.Context, r *report) error) {
		*cases = append(*cases, testCase{m.group, strings.TrimSpace(id + " " + what), run})
	}
	var cases []testCase
	add(&cases, "", func(ctx context.Context, r *report) error { return compareModel(ctx, r, path, expected) })
	for _, aspect := range aspects(expected) {
		add(&cases, aspect, func(ctx context.Context, r *report) error { return compareAspect(ctx, r, path, expected, aspect) })
	}
	if stages := m.activations(".intermediates"); exists(stages) {
		add(&cases, "intermediates", func(_ context.Context, r *report) error { return compareStages(r, path, stages, stages) })
	}
	if stages := filepath.Join(m.root, "stages", m.name+".safetensors"); exists(stages) {
		add(&cases, "stages", func(_ context.Context, r *report) error { return compareStages(r, path, stages, expected) })
	}
	if grids := filepath.Join(m.root, "naflex", m.name+".safetensors"); exists(grids) {
		add(&cases, "naflex", func(ctx context.Context, r *report) error { return compareGrids(ctx, r, path, grids) })
	}
	if len(m.entry.Texts) > 0 {
		add(&cases, "texts", func(_ context.Context, r *report) error { return compareTexts(r, path, expected, m.entry.Texts) })
	}
	if len(m.entry.Pictures) > 0 {
		add(&cases, "pictures", func(_ context.Context, r *report) error {
			return comparePixelValues(r, path, expected, m.root, m.entry.Pictures)
		})
	}
	return cases
}

var (
	shard   = regexp.MustCompile(`-\d+-of-\d+\.(safetensors|bin)$`)
	sharded = regexp.MustCompile(`\.(safetensors|bin)\.index(\.\w+)?\.json$`)
)

// aside are files of a trainer, which are no weights and must not be read as such.
var aside = []string{"optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "scaler.pt"}

// weightFiles returns the files of a model's folder that can be loaded, and those of
// no known kind. Shards are loaded by their index.
func weightFiles(dir string) (weights, strange []string) {
	files := list(dir)
	whole := !slices.ContainsFunc(files, sharded.MatchString)
	for _, f := range files {
		switch ext := filepath.Ext(f); {
		case isDir(filepath.Join(dir, f)), document(f), f == vocabName, slices.Contains(aside, f):
		case !whole && shard.MatchString(f):
		case sharded.MatchString(f), slices.Contains([]string{".safetensors", ".pt", ".pth", ".bin"}, ext):
			weights = append(weights, f)
		case ext == ".json", ext == ".txt": // of the programs that wrote the weights
		default:
			strange = append(strange, f)
		}
	}
	return weights, strange
}

// loads returns what a user would open: the files of weights, or the folder where a
// model is more than one of them.
func (m *modelFolder) loads() (paths, strange []string) {
	dir := m.checkpoint()
	weights, strange := weightFiles(dir)
	folders := slices.DeleteFunc(list(dir), func(name string) bool { return !isDir(filepath.Join(dir, name)) })
	switch adapter := slices.IndexFunc(folders, func(name string) bool { return exists(filepath.Join(dir, name, "adapter_config.json")) }); {
	case exists(filepath.Join(dir, "modules.json")):
		return []string{dir}, strange // several modules, one behind the other
	case adapter >= 0:
		return []string{filepath.Join(dir, folders[adapter])}, strange // its configuration names the other
	case len(weights) == 0 && len(folders) == 1:
		return []string{filepath.Join(dir, folders[0])}, strange
	case len(weights) == 1 && strings.HasPrefix(m.group, "class:"):
		return []string{dir}, strange // as from_pretrained has it
	}
	for _, file := range weights {
		paths = append(paths, filepath.Join(dir, file))
	}
	return paths, strange
}

// load opens a model as users do, for cases of pixels and ids: where its folder does
// not say how pictures are preprocessed any answer will do.
func load(path string, want *tensors) (*model, error) {
	dir := path
	if !isDir(dir) {
		dir = filepath.Dir(path)
	}
	has := func(name string) bool { return exists(filepath.Join(dir, name)) }
	silent := (has("config.json") || has("adapter_config.json")) && !has("preprocessor_config.json") && !has("processor_config.json")
	var size []int
	if want.has("pixel_values") {
		switch s := want.shape("pixel_values"); {
		case silent && len(s) == 4:
			size = s[2:]
		case silent && len(s) == 3: // patches, (B, N, P·P·3)
			return openPatchModel(path, s[1], int(math.Sqrt(float64(s[2]/3))))
		}
	}
	return openModel(path, size, nil)
}

// aspects are the further things that a file of activations holds: outputs of other
// inputs, named ASPECT.TENSOR.
func aspects(path string) []string {
	f, err := openTensors(path)
	if err != nil {
		return nil // which the model's first case reports
	}
	defer f.close()
	var all []string
	for _, name := range f.names("") {
		if aspect, _, ok := strings.Cut(name, "."); ok {
			all = append(all, aspect)
		}
	}
	slices.SortFunc(all, cmp.Compare)
	return slices.Compact(all)
}

// wrongInput is an error about inputs whose shapes a model does not take.
func wrongInput(want *tensors, name string, takes string, args ...any) error {
	return fmt.Errorf("%s: %s has shape %v, the model takes %s", want.path, name, want.shape(name), fmt.Sprintf(takes, args...))
}
