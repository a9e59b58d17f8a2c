package train

import (
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/safetensors"
)

// identity is what two runs must have in common for one to go on where the other
// stopped, as names and printed values. It is also what a person is told when
// they differ. A setting that is zero is left out, so that one that is added later,
// and whose zero means what was always meant, makes no run another.
type identity map[string]string

// identify describes the model, its tokenizer and the configuration. Functions
// cannot be compared: the schedule is described by some of its values, another
// by its being set. A loss goes by its name.
func identify(t *Trainer) (id identity, err error) {
	err = guard.Call(func() error { // the schedule, the tokenizer and settings may be the caller's own
		id, err = t.identity()
		return err
	})
	if err != nil {
		err = fmt.Errorf("train: describing the run: %w", err)
	}
	return id, err
}

func (t *Trainer) identity() (identity, error) {
	id, cfg := identity{}, t.cfg
	id.add("model", reflect.ValueOf(t.model.Config()))
	cfg.Loss, cfg.Stored, cfg.Ranks, cfg.GradCheckpointing = nil, nil, nil, false
	id.add("train", reflect.ValueOf(cfg))
	id["train.Loss"] = t.objective.name
	if s := t.cfg.Stored; s != nil {
		id["train.Stored"] = fmt.Sprintf("%d images, %d texts, scale %g", len(s.Images), len(s.Texts), s.Scale)
	}
	if t.cfg.Ranks != nil { // however many
		id["train.Ranks"] = isSet(true)
	}
	if cfg.Teacher != nil {
		id["train.Teacher"] = cfg.Teacher.Fingerprint()
	}
	if lora, ok := t.model.LoRA(); ok {
		id.add("lora", reflect.ValueOf(lora))
	}
	if !t.model.Trainable() { // a checkpoint does not hold its weights
		id["weights of the model"] = checksum(t.model)
	}
	for step := 1; step < 1<<24; step *= 2 {
		id[fmt.Sprintf("%s%08d", schedule, step-1)] = fmt.Sprint(cfg.LR(step - 1))
	}
	if tok := t.model.Tokenizer(); tok != nil {
		_, length := sizes(t.model)
		ids := make([]int32, length)
		if _, err := t.model.Tokenize(ids, "a photo of the quick brown fox, 1234567890"); err != nil {
			return nil, err
		}
		id["tokenizer"] = fmt.Sprintf("%d tokens, of a sentence %08x", tok.VocabSize(), crc32.ChecksumIEEE(fmt.Append(nil, ids)))
	}
	return id, nil
}

func checksum(m *encoder.Model) string {
	var tensors []safetensors.Tensor
	for _, p := range m.Params() {
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Shape: p.Shape, Float32: p.Data})
	}
	sums, err := safetensors.Checksums(tensors)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(sums)))
}

const schedule = "train.LR at step "

// addData describes a set and the order in which it is gone through.
func (id identity) addData(ctx context.Context, src dataset.Source, o dataset.BatchOptions) error {
	id["data.Size"] = fmt.Sprint(o.Size)
	id["data.Shuffle"] = fmt.Sprint(o.Shuffle)
	id["data.KeepLast"] = fmt.Sprint(o.KeepLast)
	id["data.Seed"] = fmt.Sprint(o.Seed)
	if o.Augment != nil {
		id["data.Augment"] = isSet(true)
	}
	id["data.samples"] = fmt.Sprint(src.Len())
	first, n, sum := "", 0, crc32.NewIEEE()
	for sample, err := range src.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q %q %q\n", sample.Key, sample.Words(), sample.Label)
		if n == 0 {
			first = sample.Key
		}
		if n++; n == 100 {
			break
		}
	}
	id["data.first samples"] = fmt.Sprintf("%q …, %d with captions and labels %08x", first, n, sum.Sum32())
	return nil
}

// add describes a value; the fields of structs go by their names.
func (id identity) add(name string, v reflect.Value) {
	if !v.IsValid() || v.IsZero() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		id.add(name, v.Elem())
	case reflect.Func:
		id[name] = isSet(true)
	case reflect.Struct:
		id[name] = isSet(true)
		if f, ok := v.Interface().(interface{ Family() string }); ok {
			id[name] = f.Family()
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				id.add(name+"."+f.Name, v.Field(i))
			}
		}
	default:
		id[name] = fmt.Sprint(v)
	}
}

// isSet stands for a value that has no words.
func isSet(is bool) string {
	if is {
		return "set"
	}
	return "not set"
}

// differences lists what is otherwise in this run than in a saved one; of the
// schedule only the first step at which it is.
func (id identity) differences(saved identity) []string {
	all := maps.Clone(saved)
	maps.Copy(all, id)
	var list []string
	known := false
	for _, name := range slices.Sorted(maps.Keys(all)) {
		ours, theirs := id.get(name), saved.get(name)
		ofSchedule := strings.HasPrefix(name, schedule)
		if ours == theirs || ofSchedule && known {
			continue
		}
		known = known || ofSchedule
		list = append(list, fmt.Sprintf("%s: the checkpoint has %s, this run %s", name, theirs, ours))
	}
	return list
}

// scheduledAs is the identity with another's schedule.
func (id identity) scheduledAs(other identity) identity {
	same := maps.Clone(id)
	maps.DeleteFunc(same, func(name, _ string) bool { return strings.HasPrefix(name, schedule) })
	for name, value := range other {
		if strings.HasPrefix(name, schedule) {
			same[name] = value
		}
	}
	return same
}

func (id identity) get(name string) string {
	if v, ok := id[name]; ok {
		return v
	}
	return isSet(false)
}
