package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/tensorfile"
)

// unwrapped is a file of weights under the names that its model has by itself: without
// what programs put before every name when they save a model that stands within
// another, and with what transformers leaves out of the names of a tower of its own.
// So layouts look at one form of each name.
type unwrapped struct {
	weights
	prefix  string // of the file's names
	missing string // of the model's names
	names   []string
}

// habits are prefixes of every name: of DataParallel, of torch.compile, and of classes
// that keep the model in a field.
func habits() []string {
	return []string{"module.", "_orig_mod.", "model.", "clip_model.", "clip."}
}

// strangers are what stands beside a model within another and has no part in it: of
// averaged models, of losses, of the training and of CLIPSeg's segmentation.
func strangers() []string {
	return []string{
		"n_averaged", "loss.", "loss_fn.", "criterion.", "decoder.",
		"optimizer.", "optimizers.", "optimizer_states.", "scheduler.", "lr_scheduler.", "lr_schedulers.", "scaler.", "rng_state", "callbacks.", "loops.",
	}
}

// unwrap takes off the prefix of the model's names, whatever it is. Where part is not
// empty it is that prefix; else it is the one under which a model stands alone.
func unwrap(w weights, part string) (weights, error) {
	names := w.Names()
	prefix := commonHabits(names)
	if part != "" {
		if prefix = strings.TrimSuffix(part, ".") + "."; !begins(names, prefix) {
			return nil, fmt.Errorf("no tensor's name begins with %s", prefix)
		}
	} else if found := models(names, prefix); len(found) > 1 {
		return nil, fmt.Errorf("it holds several models, %s: say which one, as in FILE#%s", strings.Join(found, " and "), strings.TrimSuffix(found[0], "."))
	} else if len(found) == 1 {
		prefix = found[0]
		if other := beside(names, prefix); other != "" {
			return nil, fmt.Errorf("the model stands in %s, and beside it %s, whose part in it is not known: FILE#%s reads the model alone", prefix, other, strings.TrimSuffix(prefix, "."))
		}
	}
	u := &unwrapped{weights: w, prefix: prefix}
	for _, n := range names {
		if own, ok := strings.CutPrefix(n, prefix); ok {
			u.names = append(u.names, own)
		}
	}
	u.missing = leftOut(u.names)
	if u.prefix == "" && u.missing == "" {
		return w, nil
	}
	for i, n := range u.names {
		u.names[i] = u.missing + n
	}
	return u, nil
}

// commonHabits is what all names begin with.
func commonHabits(names []string) (prefix string) {
	for again := true; again; {
		again = false
		for _, h := range habits() {
			if len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return !strings.HasPrefix(n, prefix+h) }) {
				prefix, again = prefix+h, true
			}
		}
	}
	return prefix
}

func begins(names []string, prefix string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix) })
}

// towers are what the names of a tower's tensors begin with in a model by itself.
func towers() []string { return []string{"visual.", "vision_model.", "text_model."} }

// models returns the prefixes under which names of towers stand: the given one alone
// where there is one under that, else up to eight that begin with it.
func models(names []string, prefix string) (found []string) {
	for _, n := range names {
		rest, ok := strings.CutPrefix(n, prefix)
		at := -1
		for _, tower := range towers() {
			switch i := strings.Index("."+rest, "."+tower); {
			case !ok || i < 0:
			case at < 0 || i < at:
				at = i
			}
		}
		switch {
		case at == 0:
			return []string{prefix}
		case at > 0 && !slices.Contains(found, prefix+rest[:at]) && len(found) < 8:
			found = append(found, prefix+rest[:at])
		}
	}
	return found
}

// beside returns the first name that is neither within the prefix nor a stranger's.
func beside(names []string, prefix string) string {
	for _, n := range names {
		known := func(s string) bool { return strings.HasPrefix(n, s) }
		if !known(prefix) && !slices.ContainsFunc(strangers(), known) {
			return n
		}
	}
	return ""
}

// leftOut is the prefix that transformers 5 leaves out of the names of CLIPTextModel,
// CLIPVisionModel and SigLIP's.
func leftOut(names []string) string {
	for name, prefix := range map[string]string{
		"embeddings.token_embedding.weight": "text_model.", "embeddings.patch_embedding.weight": "vision_model.",
	} {
		if slices.Contains(names, name) {
			return prefix
		}
	}
	return ""
}

// stored is the name in the file.
func (u *unwrapped) stored(name string) string {
	return u.prefix + strings.TrimPrefix(name, u.missing)
}

func (u *unwrapped) Names() []string { return slices.Clone(u.names) }

func (u *unwrapped) Info(name string) (tensorfile.Info, bool) { return u.weights.Info(u.stored(name)) }
func (u *unwrapped) Float32(name string, dst []float32) error {
	return u.weights.Float32(u.stored(name), dst)
}
func (u *unwrapped) View(name string) ([]float32, bool) { return u.weights.View(u.stored(name)) }
func (u *unwrapped) Release(name string)                { u.weights.Release(u.stored(name)) }
