package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
)

// FilesKey is the metadata of the weights under which [Save] keeps the SHA-256 of each
// file of the layout and the tokenizer, as JSON. [Open] compares those that are there.
const FilesKey = "goclip.files"

// SaveOptions say what may be replaced. Nil means the zero value.
type SaveOptions struct {
	// Overwrite allows to replace another model. All files of models that the folder
	// has then go: configurations, weights and shards, tokenizers and adapters, under
	// the names that [Open] and transformers know, and what an earlier Save wrote.
	// Checkpoints of open_clip's training, epoch_N.pt, stay, and so does all else.
	Overwrite bool
	// Own are the files of weights that the model was read from or saved to before. A
	// folder with one of them may be written to in the same layout.
	Own []fs.FileInfo
	// Beside are further files to be written with the model, such as adapters that are
	// merged in it. Open does not read them, and they may be replaced by themselves.
	Beside []File
	// DType is F32, F16 or BF16; empty is F32.
	DType tensorfile.DType
	// Tokenizer, where not nil, writes the tokenizer's files to an empty folder.
	Tokenizer func(dir string) error
}

// Occupied returns the names of the files by which a folder holds a model, or else of
// those that models come with.
func Occupied(dir string) []string {
	v := journal.Open(dir)
	defer v.Close()
	if found := occupied(v); len(found) > 0 {
		return found
	}
	return orphans(v, companions())
}

func occupied(v *journal.View) (found []string) {
	for _, name := range modelFiles() {
		if v.Exists(name) {
			found = append(found, name)
		}
	}
	return append(found, variants(v.Dir())...)
}

// modelFiles are the names of configurations and weights in all layouts. Checkpoints of
// a training are not among them.
func modelFiles() (names []string) {
	for _, l := range layouts() {
		if l.config != "" {
			names = append(names, l.config)
		}
		for _, w := range l.weights {
			if w != anyEpoch && w != "epoch_latest.pt" {
				names = append(names, w)
			}
		}
	}
	return names
}

// companions are what published models have beside configuration and weights.
func companions() []string {
	return []string{
		hfPreprocessFile, "processor_config.json",
		"vocab.json", "merges.txt", "vocab.txt", "tokenizer.json", "bpe_simple_vocab_16e6.txt.gz", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
		"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
		"lora.safetensors", adapterConfigFile, "adapter_model.safetensors", "adapter_model.bin",
	}
}

// orphans are the files in a folder without a model that a new model of the given files
// would overwrite or be read with. Adapters of goclip beside a model are not read with it.
func orphans(v *journal.View, files []string) []string {
	return slices.DeleteFunc(companions(), func(name string) bool {
		return !v.Exists(name) || name == "lora.safetensors" && !slices.Contains(files, name)
	})
}

// stale returns the files of a folder that must go when a model of the given files, in
// the layout, is saved to it, and fails where that is not allowed.
func stale(v *journal.View, l layout, files []string, o SaveOptions) ([]string, error) {
	found := occupied(v)
	old := []string{}
	for name := range digestsOf(v, found) {
		old = append(old, name)
	}
	switch {
	case o.Overwrite:
		for _, name := range found {
			if isIndex(name) {
				old = append(old, shardsOf(v, name)...)
			}
		}
		old = slices.Concat(old, found, companions())
	case len(found) > 0 && !o.mine(v, l, found):
		return nil, fmt.Errorf("the folder holds another model, %s, which is replaced only where that is asked for", strings.Join(found, " and "))
	case len(found) == 0:
		if others := orphans(v, files); len(others) > 0 {
			return nil, fmt.Errorf("the folder holds %s without a model, which are replaced only where that is asked for", strings.Join(others, " and "))
		}
	}
	slices.Sort(old)
	return slices.DeleteFunc(slices.Compact(old), func(name string) bool {
		return slices.Contains(files, name) || !v.Exists(name)
	}), nil
}

// mine reports whether all that a folder holds is the model of o.Own, in the layout. With
// an adapter beside it it is not: that would be merged in again.
func (o *SaveOptions) mine(v *journal.View, l layout, found []string) bool {
	if v.Exists(adapterConfigFile) {
		return false
	}
	for _, name := range found {
		if name != l.config && name != l.weights[0] {
			return false
		}
	}
	path, err := v.Path(l.weights[0])
	if err != nil {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && slices.ContainsFunc(o.Own, func(own fs.FileInfo) bool {
		return os.SameFile(own, info) && own.Size() == info.Size() && own.ModTime().Equal(info.ModTime())
	})
}

// shardsOf returns the plain names that an index of shards lists.
func shardsOf(v *journal.View, index string) (names []string) {
	path, err := v.Path(index)
	if err != nil {
		return nil
	}
	text, err := readConfig(path)
	var list struct {
		Weights map[string]string `json:"weight_map"`
	}
	if err != nil || json.Unmarshal(text, &list) != nil {
		return nil
	}
	for _, name := range list.Weights {
		if checkNames([]File{{Name: name}}, "") == nil && (strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".bin")) {
			names = append(names, name)
		}
	}
	return names
}

// digestsOf returns what weights among the files say of others beside them.
func digestsOf(v *journal.View, files []string) map[string]string {
	for _, name := range files {
		path, err := v.Path(name)
		if err != nil || !strings.HasSuffix(name, ".safetensors") {
			continue
		}
		f, err := safetensors.Open(path)
		if err != nil {
			continue
		}
		digests, err := parseDigests(f.Metadata()[FilesKey])
		if f.Close() == nil && err == nil && digests != nil {
			return digests
		}
	}
	return nil
}

// formatDigests is the value of FilesKey.
func formatDigests(files []File) (string, error) {
	digests := map[string]string{}
	for _, f := range files {
		sum := sha256.Sum256(f.Data)
		digests[f.Name] = hex.EncodeToString(sum[:])
	}
	text, err := json.Marshal(digests) // which sorts
	return string(text), err
}

func parseDigests(text string) (digests map[string]string, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &digests); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", FilesKey, err)
	}
	for name := range digests {
		if err := checkNames([]File{{Name: name}}, ""); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", FilesKey, err)
		}
	}
	return digests, nil
}

// errMixed is what reading fails with when the files are of several saves, or were
// edited.
var errMixed = errors.New("is not the one that was saved with")

// compare fails with errMixed where a file differs from what the weights say of it. A
// file that is not there is no matter: people take tokenizers away.
func compare(f *files) error {
	w, ok := f.weights.(interface{ Metadata() map[string]string })
	if !ok {
		return nil
	}
	base := filepath.Base(f.path)
	digests, err := parseDigests(w.Metadata()[FilesKey])
	if err != nil {
		return fmt.Errorf("%s: %w", base, err)
	}
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		got, err := digest(f.view, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if want := digests[name]; got != want {
			return fmt.Errorf("%s %w %s: its SHA-256 is %s, want %s (%s); Options.Edited or --edited accepts a file that was changed on purpose", name, errMixed, base, got, want, FilesKey)
		}
	}
	return nil
}

func digest(v *journal.View, name string) (string, error) {
	f, err := v.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}
