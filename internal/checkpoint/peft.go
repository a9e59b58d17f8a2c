package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/tensorfile"
)

// adapted is the weights of a model with an adapter of PEFT merged in: LoRA (Hu et al.,
// 2022), DoRA (Liu et al., 2024), and what was saved whole beside it. Tensors that it
// changes are computed as they are read.
type adapted struct {
	weights // of the base
	adapter weights
	changes map[string]*change // by the base's names
}

// change is what an adapter does to a tensor, by names of the adapter's tensors. Empty
// ones are not there.
type change struct {
	whole     string // takes the tensor's place
	a, b      string // (r, in) and (out, r): s·B·A is added
	magnitude string // (out): each row then gets this length
	bias      string // (out): s times it is added to a bias
	scale     float32
	dora      bool
}

// openAdapter opens the adapter in a folder.
func openAdapter(v *journal.View) (weights, error) {
	for _, name := range []string{"adapter_model.safetensors", "adapter_model.bin"} {
		path, err := v.Path(name)
		if err == nil {
			return openWeights(path)
		}
	}
	return nil, fmt.Errorf("adapter_model.safetensors beside %s is missing", adapterConfigFile)
}

// adapt merges an adapter. All tensors that fit nothing are listed in the error.
func adapt(base, adapter weights, c *peftConfig) (*adapted, error) {
	m := &adapted{base, adapter, map[string]*change{}}
	var wrong []string
	for _, name := range adapter.Names() {
		if err := m.add(name, c); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s %v", name, err))
		}
	}
	for name, ch := range m.changes {
		if err := m.check(name, ch, c); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", name, err))
		}
	}
	if wrong == nil {
		return m, nil
	}
	slices.Sort(wrong)
	n := len(wrong)
	if n > 20 {
		wrong = append(wrong[:20], "…")
	}
	return nil, fmt.Errorf("%d tensors of the adapter do not fit the model: %s", n, strings.Join(wrong, "; "))
}

// add finds what one of the adapter's tensors is for.
func (m *adapted) add(name string, c *peftConfig) error {
	own, ok := strings.CutPrefix(name, "base_model.model.")
	if !ok {
		return errors.New("has a name without base_model.model. before it")
	}
	own = strings.Replace(own, ".modules_to_save.", ".", 1)
	own = strings.Replace(own, ".default.", ".", 1) // the adapter's name, in early files
	for _, kind := range []struct {
		end, of string
		field   func(*change) *string
	}{
		{".lora_A.weight", ".weight", func(ch *change) *string { return &ch.a }},
		{".lora_B.weight", ".weight", func(ch *change) *string { return &ch.b }},
		{".lora_magnitude_vector", ".weight", func(ch *change) *string { return &ch.magnitude }},
		{".lora_magnitude_vector.weight", ".weight", func(ch *change) *string { return &ch.magnitude }},
		{".lora_B.bias", ".bias", func(ch *change) *string { return &ch.bias }},
		{".base_layer.weight", ".weight", func(ch *change) *string { return &ch.whole }},
		{".base_layer.bias", ".bias", func(ch *change) *string { return &ch.whole }},
		{"", "", func(ch *change) *string { return &ch.whole }},
	} {
		module, ok := strings.CutSuffix(own, kind.end)
		if !ok {
			continue
		}
		target, ok := m.target(module + kind.of)
		if !ok {
			return errors.New("is of no tensor of the model")
		}
		ch := m.changes[target]
		if ch == nil {
			ch = &change{dora: c.dora}
			m.changes[target] = ch
		}
		field := kind.field(ch)
		if *field != "" {
			return fmt.Errorf("says the same as %s", *field)
		}
		*field = name
		return nil
	}
	return nil
}

// target is what the base calls a tensor: a class that is one tower has other prefixes
// in different versions, and the model may stand in a field of another.
func (m *adapted) target(name string) (string, bool) {
	for _, h := range append([]string{""}, habits()...) {
		own, ok := strings.CutPrefix(name, h)
		for _, prefix := range append([]string{""}, towers()...) {
			if _, found := m.weights.Info(prefix + own); ok && found {
				return prefix + own, true
			}
		}
	}
	return "", false
}

// check compares the shapes of what changes a tensor with the tensor's, and finds the
// scale.
func (m *adapted) check(target string, ch *change, c *peftConfig) error {
	info, _ := m.weights.Info(target)
	shape := func(name string) []int {
		i, _ := m.adapter.Info(name)
		if !i.DType.Float() {
			return nil
		}
		return i.Shape
	}
	rows, each := rowsOf(info.Shape)
	module := target[:strings.LastIndexByte(target, '.')]
	switch {
	case ch.whole != "" && !slices.Equal(shape(ch.whole), info.Shape):
		return fmt.Errorf("%s has shape %v, want %v", ch.whole, shape(ch.whole), info.Shape)
	case ch.bias != "":
		a, ok := m.adapter.Info(strings.TrimSuffix(ch.bias, "B.bias") + "A.weight")
		if !ok || len(a.Shape) < 2 || a.Shape[0] < 1 || !slices.Equal(shape(ch.bias), info.Shape) {
			return fmt.Errorf("%s has shape %v, want %v beside a lora_A", ch.bias, shape(ch.bias), info.Shape)
		}
		ch.scale = c.scale(module, a.Shape[0])
		return nil
	case ch.a == "" && ch.b == "" && ch.magnitude == "":
		return nil
	case ch.dora != (ch.magnitude != ""):
		return fmt.Errorf("use_dora is %t, but lora_magnitude_vector is %q", ch.dora, ch.magnitude)
	}
	rank, in := rowsOf(shape(ch.a))
	out, r := rowsOf(shape(ch.b))
	if ch.a == "" || ch.b == "" || rank < 1 || r != rank || in != each || out != rows {
		return fmt.Errorf("lora_A and lora_B have shapes %v and %v, want (r, %d) and (%d, r)", shape(ch.a), shape(ch.b), each, rows)
	}
	if n, one := rowsOf(shape(ch.magnitude)); ch.dora && n*one != rows {
		return fmt.Errorf("lora_magnitude_vector has shape %v, want (%d)", shape(ch.magnitude), rows)
	}
	ch.scale = c.scale(module, rank)
	return nil
}

// rowsOf is the first dimension of a shape and the product of the others.
func rowsOf(shape []int) (rows, each int) {
	if len(shape) == 0 {
		return 0, 0
	}
	each = 1
	for _, d := range shape[1:] {
		each *= d
	}
	return shape[0], each
}

func (m *adapted) View(name string) ([]float32, bool) {
	if m.changes[name] != nil {
		return nil, false
	}
	return m.weights.View(name)
}

func (m *adapted) Info(name string) (tensorfile.Info, bool) {
	info, ok := m.weights.Info(name)
	if m.changes[name] != nil {
		info.DType = tensorfile.F32 // as it is computed
	}
	return info, ok
}

func (m *adapted) Float32(name string, dst []float32) error {
	ch := m.changes[name]
	from, read := m.weights, name
	if ch != nil && ch.whole != "" {
		from, read = m.adapter, ch.whole
	}
	if err := from.Float32(read, dst); err != nil || ch == nil {
		return err
	}
	info, _ := m.weights.Info(name)
	rows, each := rowsOf(info.Shape)
	if ch.bias != "" {
		bias := make([]float32, len(dst))
		if err := m.adapter.Float32(ch.bias, bias); err != nil {
			return err
		}
		for i, v := range bias {
			dst[i] += ch.scale * v
		}
	}
	if ch.a == "" {
		return nil
	}
	return m.merge(dst, ch, rows, each)
}

// merge adds s·B·A to the rows of w, and gives them the lengths that DoRA has learnt.
func (m *adapted) merge(w []float32, ch *change, rows, each int) error {
	info, _ := m.adapter.Info(ch.a)
	rank := info.Shape[0]
	a, b := make([]float32, rank*each), make([]float32, rows*rank)
	lengths := make([]float32, rows)
	if err := errors.Join(m.adapter.Float32(ch.a, a), m.adapter.Float32(ch.b, b)); err != nil {
		return err
	}
	if ch.magnitude != "" {
		if err := m.adapter.Float32(ch.magnitude, lengths); err != nil {
			return err
		}
	}
	sum := make([]float32, each)
	for i := range rows {
		clear(sum)
		for r, factor := range b[i*rank:][:rank] {
			for j, v := range a[r*each:][:each] {
				sum[j] += factor * v
			}
		}
		row, square := w[i*each:][:each], 0.0
		for j, v := range sum {
			row[j] += ch.scale * v
			square += float64(row[j]) * float64(row[j])
		}
		if ch.magnitude == "" {
			continue
		}
		factor := float32(float64(lengths[i]) / math.Sqrt(square))
		for j := range row {
			row[j] *= factor
		}
	}
	return nil
}

func (m *adapted) Close() error { return errors.Join(m.weights.Close(), m.adapter.Close()) }
