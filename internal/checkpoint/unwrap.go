package checkpoint

import (
	"strings"

	"github.com/goclip/goclip/internal/tensorfile"
)

// unwrapped is a file of weights without what programs put before every name when
// they save a model that stands within another. So layouts look at the model's own
// names.
type unwrapped struct {
	weights
	prefix string
}

// habits are the prefixes: of DataParallel, of torch.compile, and of classes that
// keep the model in a field.
func habits() []string {
	return []string{"module.", "_orig_mod.", "model.", "clip_model.", "clip."}
}

// unwrap takes off prefixes that all names have, one after the other.
func unwrap(w weights) weights {
	prefix := ""
	for again := true; again; {
		again = false
		for _, h := range habits() {
			if allBegin(w.Names(), prefix+h) {
				prefix, again = prefix+h, true
			}
		}
	}
	if prefix == "" {
		return w
	}
	return &unwrapped{w, prefix}
}

func allBegin(names []string, prefix string) bool {
	for _, n := range names {
		if !strings.HasPrefix(n, prefix) {
			return false
		}
	}
	return len(names) > 0
}

func (u *unwrapped) Names() []string {
	var names []string
	for _, n := range u.weights.Names() {
		names = append(names, strings.TrimPrefix(n, u.prefix))
	}
	return names
}

func (u *unwrapped) Info(name string) (tensorfile.Info, bool) { return u.weights.Info(u.prefix + name) }
func (u *unwrapped) Float32(name string, dst []float32) error {
	return u.weights.Float32(u.prefix+name, dst)
}
func (u *unwrapped) View(name string) ([]float32, bool) { return u.weights.View(u.prefix + name) }
func (u *unwrapped) Release(name string)                { u.weights.Release(u.prefix + name) }
