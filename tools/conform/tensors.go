package main

import (
	"fmt"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/nn"
)

// tensors is a file of reference tensors that remembers which have been read.
// The first read that fails sticks: see err.
type tensors struct {
	file *safetensors.File
	path string
	read map[string]bool
	err  error
}

func openTensors(path string) (*tensors, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	return &tensors{file: f, path: path, read: make(map[string]bool)}, nil
}

func (t *tensors) close() { t.file.Close() }

func (t *tensors) has(name string) bool {
	_, ok := t.file.Info(name)
	return ok
}

// names returns the names of all tensors with the prefix, which is cut off, in
// alphabetical order.
func (t *tensors) names(prefix string) []string {
	var names []string
	for _, n := range t.file.Names() {
		if rest, ok := strings.CutPrefix(n, prefix); ok {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names
}

// shape returns the dimensions of a tensor, and fails for one that is missing.
func (t *tensors) shape(name string) []int {
	info, ok := t.file.Info(name)
	if !ok {
		t.fail(fmt.Errorf("%s: the tensor %s is missing", t.path, name))
	}
	return info.Shape
}

// floats returns a tensor, row-major.
func (t *tensors) floats(name string) []float32 {
	info, ok := t.file.Info(name)
	if t.shape(name); !ok {
		return nil
	}
	t.read[name] = true
	x := make([]float32, info.Len())
	t.fail(t.file.Float32(name, x))
	return x
}

// scalar returns a tensor's only number.
func (t *tensors) scalar(name string) float64 {
	x := t.floats(name)
	if len(x) != 1 {
		t.fail(fmt.Errorf("%s: %s has %d numbers, want 1", t.path, name, len(x)))
		return 0
	}
	return float64(x[0])
}

// ids returns a tensor of token ids.
func (t *tensors) ids(name string) []int32 {
	if t.shape(name); !t.has(name) {
		return nil
	}
	t.read[name] = true
	x, err := t.file.Ints(name)
	t.fail(err)
	ids := make([]int32, len(x))
	for i, v := range x {
		if ids[i] = int32(v); int64(ids[i]) != v {
			t.fail(fmt.Errorf("%s: %s holds %d, which is no token id", t.path, name, v))
		}
	}
	return ids
}

// mask returns attention_mask, ones where the file has none, of the shape of the ids.
func (t *tensors) mask(shape []int) []int32 {
	if t.has("attention_mask") {
		if s := t.shape("attention_mask"); !slices.Equal(s, shape) {
			t.fail(fmt.Errorf("%s: attention_mask has shape %v, input_ids %v", t.path, s, shape))
		}
		return t.ids("attention_mask")
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	return slices.Repeat([]int32{1}, n)
}

// bytes returns a tensor of pixels.
func (t *tensors) bytes(name string) []byte {
	if t.shape(name); !t.has(name) {
		return nil
	}
	t.read[name] = true
	b, err := t.file.Bytes(name)
	t.fail(err)
	return b
}

func (t *tensors) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// finish returns the first failure, or an error that lists what was never read.
func (t *tensors) finish() error {
	if t.err != nil {
		return t.err
	}
	var unread []string
	for _, n := range t.names("") {
		if !t.read[n] {
			unread = append(unread, n)
		}
	}
	if unread != nil {
		return fmt.Errorf("%s: nothing is compared with %s", t.path, strings.Join(unread, ", "))
	}
	return nil
}

// compute runs the graph that build makes and returns the values of the nodes
// that build returns.
func compute(build func(g *G.ExprGraph) ([]*G.Node, error)) ([][]float32, error) {
	var keep []*G.Node
	m, err := nn.Build(func(g *G.ExprGraph) (_ []*G.Node, err error) {
		keep, err = build(g)
		return keep, err
	})
	if err != nil {
		return nil, err
	}
	if err := m.Run(); err != nil {
		return nil, err
	}
	values := make([][]float32, len(keep))
	for i, n := range keep {
		values[i] = nn.Floats(n)
	}
	return values, nil
}
