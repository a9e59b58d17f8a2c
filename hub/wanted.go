package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Small files that a model is loaded from, wherever they are.
var (
	configurations = []string{"goclip_config.json", "open_clip_config.json", "config.json",
		"preprocessor_config.json", "processor_config.json", "modules.json",
		"config_sentence_transformers.json", "sentence_bert_config.json", "adapter_config.json"}
	tokenizers = []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
		"vocab.json", "merges.txt", "vocab.txt", "bpe_simple_vocab_16e6.txt.gz",
		"spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "tokenizer.model", "spm.model", "source.spm"}
	cards = []string{"README.md"}
)

// weight is a file of weights, the best first, with the configuration that it needs.
type weight struct{ file, config string }

var (
	ownWeights      = []weight{{"goclip_model.safetensors", "goclip_config.json"}}
	openCLIPWeights = []weight{
		{"open_clip_model.safetensors", "open_clip_config.json"},
		{"open_clip_pytorch_model.safetensors", "open_clip_config.json"},
	}
	openCLIPPickles = []weight{
		{"open_clip_pytorch_model.bin", "open_clip_config.json"},
		{"open_clip_pytorch_model.pth", "open_clip_config.json"},
	}
	// transformers writes a variant's index as model.safetensors.index.fp16.json, diffusers as
	// model.fp16.safetensors.index.json.
	hfWeights = []weight{
		{"model.safetensors", "config.json"}, {"model.safetensors.index.json", "config.json"},
		{"model.fp16.safetensors", "config.json"}, {"model.safetensors.index.fp16.json", "config.json"}, {"model.fp16.safetensors.index.json", "config.json"},
		{"model.bf16.safetensors", "config.json"}, {"model.safetensors.index.bf16.json", "config.json"}, {"model.bf16.safetensors.index.json", "config.json"},
	}
	hfPickles = []weight{
		{"pytorch_model.bin", "config.json"}, {"pytorch_model.bin.index.json", "config.json"},
		{"pytorch_model.fp16.bin", "config.json"}, {"pytorch_model.bin.index.fp16.json", "config.json"}, {"pytorch_model.fp16.bin.index.json", "config.json"},
		{"pytorch_model.bf16.bin", "config.json"}, {"pytorch_model.bin.index.bf16.json", "config.json"}, {"pytorch_model.bf16.bin.index.json", "config.json"},
	}
	// Adapters change the weights that they lie beside.
	adapters = []weight{{"adapter_model.safetensors", "adapter_config.json"}, {"adapter_model.bin", "adapter_config.json"}}
)

// weights lists the files of weights that a source could have, the best first: safetensors
// before pickles, and for a name of open_clip's its own before others.
func (s Source) weights() []weight {
	var first []weight
	if s.Tag != nil && s.Tag.File != "" {
		stem := strings.TrimSuffix(s.Tag.File, path.Ext(s.Tag.File))
		first = []weight{{stem + ".safetensors", ""}, {s.Tag.File, ""}}
	}
	if s.OpenCLIP {
		return slices.Concat(first, openCLIPWeights, openCLIPPickles, ownWeights, hfWeights, hfPickles)
	}
	return slices.Concat(ownWeights, openCLIPWeights, hfWeights, openCLIPPickles, hfPickles)
}

// candidates are the names of all files that a source could have at its top.
func candidates(s Source) []string {
	names := slices.Concat(configurations, tokenizers, cards)
	for _, w := range append(s.weights(), adapters...) {
		names = append(names, w.file)
	}
	return names
}

// choice is what is fetched of a repository.
type choice struct {
	small   []string // in the order in which they are fetched
	weights []string // of which indexes name more: see isIndex
}

// choose picks what a model is loaded from among a repository's files.
func choose(s Source, names []string) (choice, error) {
	var c choice
	has := func(name string) bool { return slices.Contains(names, name) }
	for _, name := range slices.Concat(configurations, tokenizers, cards) {
		if has(name) {
			c.small = append(c.small, name)
		}
	}
	for _, kind := range [][]weight{s.weights(), adapters} {
		if w := s.pick(kind, has); w != "" {
			c.weights = append(c.weights, w)
		}
	}
	// Modules of sentence-transformers are folders of their own.
	for _, folder := range moduleFolders(names) {
		has := func(name string) bool { return slices.Contains(names, folder+"/"+name) }
		for _, name := range slices.Concat(configurations, tokenizers) {
			if has(name) {
				c.small = append(c.small, folder+"/"+name)
			}
		}
		if w := s.pick(Source{}.weights(), has); w != "" {
			c.weights = append(c.weights, folder+"/"+w)
		}
	}
	if len(c.weights) > 0 {
		return c, nil
	}
	var other []string
	for _, name := range names {
		switch strings.ToLower(path.Ext(name)) {
		case ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".npz", ".gguf":
			if other = append(other, name); len(other) == 10 {
				other[9] = "…"
			}
		}
		if len(other) == 10 {
			break
		}
	}
	if other == nil {
		return c, fmt.Errorf("%w: it has no weights", ErrNotModel)
	}
	return c, fmt.Errorf("%w: its weights are %s, without a configuration of open_clip's or transformers' beside them", ErrNotModel, strings.Join(other, ", "))
}

// pick returns the best file of weights, or nothing.
func (s Source) pick(weights []weight, has func(string) bool) string {
	for _, w := range weights {
		if has(w.file) && (w.config == "" || has(w.config) || s.Tag != nil && w.config == "open_clip_config.json") {
			return w.file
		}
	}
	return ""
}

var moduleFolder = regexp.MustCompile(`^([0-9]{1,2}_[A-Za-z]+)/`)

func moduleFolders(names []string) []string {
	if !slices.Contains(names, "modules.json") {
		return nil
	}
	var folders []string
	for _, name := range names {
		if m := moduleFolder.FindStringSubmatch(name); m != nil && !slices.Contains(folders, m[1]) {
			folders = append(folders, m[1])
		}
	}
	return folders
}

const (
	maxIndex  = 32 << 20 // bytes of an index of shards
	maxShards = 1000
)

// shards lists the files that an index of shards names, which lie beside it.
func shards(index string, text []byte) ([]string, error) {
	var i struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &i); err != nil {
		return nil, fmt.Errorf("%s: %w", index, err)
	}
	seen := map[string]bool{}
	var files []string
	for _, name := range i.Map {
		if seen[name] {
			continue
		}
		if seen[name] = true; !plainName(name) || strings.Contains(name, "/") {
			return nil, fmt.Errorf("%s: a shard is called %.100q, want the name of a file beside it", index, name)
		}
		if files = append(files, path.Join(path.Dir(index), name)); len(files) > maxShards {
			return nil, fmt.Errorf("%s names more than %d shards", index, maxShards)
		}
	}
	if files == nil {
		return nil, errors.New(index + " names no shards")
	}
	slices.Sort(files)
	return files, nil
}

// isIndex reports whether a file of weights names the files that have them.
func isIndex(name string) bool { return strings.HasSuffix(name, ".json") }
