package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/torchfile"
)

// find returns the name of the file of weights in a folder: of those that the layouts
// name the first, else their only variant of lower precision, else the only file that
// looks like weights.
func find(v *journal.View) (string, error) {
	var looked []string
	config := false
	for _, l := range layouts() {
		if l.config != "" && !v.Exists(l.config) {
			if !slices.Contains(looked, l.config) {
				looked = append(looked, l.config)
			}
			continue
		}
		config = config || l.config != ""
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
	found := variants(v.Dir())
	if len(found) == 0 {
		found = otherWeights(v.Dir())
	}
	switch {
	case len(found) == 1 && (config || isTorch(found[0])): // OpenAI's need no configuration
		return found[0], nil
	case len(found) == 1:
		return "", fmt.Errorf("%w; beside %s", err, found[0])
	case len(found) > 1:
		return "", fmt.Errorf("%w; several files look like weights: name one of %s", err, strings.Join(found, ", "))
	}
	if inner := folders(v.Dir()); len(inner) > 0 {
		return "", fmt.Errorf("%w; name one of the folders in it that have a configuration: %s", err, strings.Join(inner, ", "))
	}
	return "", err
}

// variants lists the files of transformers' weights that have a precision in their name,
// such as model.fp16.safetensors and model.safetensors.index.fp16.json; shards alone do
// not count.
func variants(dir string) (found []string) {
	for _, name := range fileNames(dir) {
		for _, form := range [][2]string{
			{"model.", ".safetensors"}, {"model.safetensors.index.", ".json"},
			{"pytorch_model.", ".bin"}, {"pytorch_model.bin.index.", ".json"}, {"model.", ".safetensors.index.json"}, {"pytorch_model.", ".bin.index.json"},
		} {
			rest, ok := strings.CutPrefix(name, form[0])
			if word, end := strings.CutSuffix(rest, form[1]); ok && end && word != "" && !strings.ContainsAny(word, ".-") {
				found = append(found, name)
			}
		}
	}
	return found
}

// isTorch reports whether a name is of a file of PyTorch's.
func isTorch(name string) bool {
	return slices.Contains([]string{".pt", ".pth", ".bin", ".ckpt"}, strings.ToLower(filepath.Ext(name)))
}

// trainers are what training programs lay beside weights. They are never read: pickles of
// any class, and no weights.
func trainers() []string {
	return []string{"optimizer.pt", "optimizer.bin", "scheduler.pt", "scheduler.bin", "scaler.pt", "rng_state.pth", "training_args.bin",
		"adapter_model.safetensors", "adapter_model.bin"}
}

// otherWeights lists a folder's files that look like weights under any name, 20 at most:
// no shards, whose index counts, and nothing of a trainer's.
func otherWeights(dir string) (other []string) {
	for _, name := range fileNames(dir) {
		switch {
		case slices.Contains(trainers(), name), isShard(name), strings.HasPrefix(name, "rng_state_"):
			continue
		case isTorch(name), strings.HasSuffix(name, ".safetensors"), isIndex(name):
		default:
			continue
		}
		if len(other) == 20 {
			return append(other, "…")
		}
		other = append(other, name)
	}
	return other
}

// isShard reports whether a name is one of several files, as model-00001-of-00003.safetensors.
func isShard(name string) bool {
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	rest, last, ok := cutLast(stem, "-of-")
	_, number, ok2 := cutLast(rest, "-")
	return ok && ok2 && digits(last) && digits(number)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isIndex reports whether a name is of an index of shards.
func isIndex(name string) bool {
	return strings.HasSuffix(name, ".json") &&
		(strings.Contains(name, ".safetensors.index.") || strings.Contains(name, ".bin.index."))
}

// folders lists the folders in a folder that hold a configuration or an adapter, eight at
// most: checkpoints of transformers' Trainer, modules.
func folders(dir string) (found []string) {
	entries, _ := os.ReadDir(dir) // a folder that cannot be read has none
	for _, e := range entries {
		for _, config := range []string{ownConfigFile, openCLIPConfigFile, hfConfigFile, adapterConfigFile} {
			if _, err := os.Stat(filepath.Join(dir, e.Name(), config)); err == nil && e.IsDir() && len(found) < 8 {
				found = append(found, e.Name())
				break
			}
		}
	}
	return found
}

// fileNames lists a folder's files in alphabetical order.
func fileNames(dir string) (names []string) {
	entries, _ := os.ReadDir(dir) // a folder that cannot be read has none
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// anyEpoch stands for the latest checkpoint of open_clip's training.
const anyEpoch = "epoch_N.pt"

// lastEpoch returns the name of the latest checkpoint of open_clip's training.
func lastEpoch(dir string) string {
	last, name := -1, anyEpoch
	for _, file := range fileNames(dir) {
		stem, pt := strings.CutSuffix(file, ".pt")
		number, epoch := strings.CutPrefix(stem, "epoch_")
		if n, err := strconv.Atoi(number); pt && epoch && err == nil && n > last {
			last, name = n, file
		}
	}
	return name
}

func openWeights(path string) (weights, error) {
	switch name := filepath.Base(path); {
	case strings.HasSuffix(strings.ToLower(name), ".safetensors"):
		return opened(safetensors.Open(path))
	case isIndex(name) && strings.Contains(name, ".bin.index."):
		return opened(openShards(path))
	case isIndex(name):
		return opened(safetensors.OpenSharded(path))
	case isTorch(name):
		return opened(torchfile.Open(path))
	}
	return nil, fmt.Errorf("%s: the name of a file of weights ends in .safetensors, .index.json, .pt, .pth, .bin or .ckpt", filepath.Base(path))
}
