package train

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
)

// part is what a weight belongs to: a tower, or the loss.
type part int

const (
	image part = iota
	text
	head // logit_scale and logit_bias
)

// weight is a parameter that is trained, with its latest gradient, as gorgonia's
// solvers take it.
type weight struct {
	part  part
	rate  float64 // of learning, as a part of the schedule's
	param *nn.Param
	value *tensor.Dense
	grad  G.Value
	sum   *tensor.Dense // of the gradients of micro-batches
}

func (w *weight) Value() G.Value         { return w.value }
func (w *weight) Grad() (G.Value, error) { return w.grad, nil }

func newWeight(p *nn.Param) *weight {
	w := &weight{param: p, value: dense(p.Data, p.Shape), part: text}
	switch {
	case strings.HasPrefix(p.Name, "visual."):
		w.part = image
	case strings.HasPrefix(p.Name, "logit_"):
		w.part = head
	}
	return w
}

// accumulate adds the gradient of a micro-batch; the first begins the sum.
func (w *weight) accumulate(grad []float32, first bool) {
	if w.sum == nil {
		w.sum = dense(make([]float32, len(grad)), w.param.Shape)
	}
	sum := w.sum.Float32s()
	if w.grad = w.sum; first {
		copy(sum, grad)
	} else {
		kernel.Add(sum, sum, grad)
	}
}

// of lists the weights of the given parts, in their order.
func (t *Trainer) of(parts ...part) []*weight {
	return slices.DeleteFunc(slices.Clone(t.weights), func(w *weight) bool { return !slices.Contains(parts, w.part) })
}

// trained lists the parameters of m that a step updates.
func (c *Config) trained(m *encoder.Model) ([]*weight, error) {
	candidates := m.Adapters()
	if len(candidates) == 0 {
		candidates = m.Params()
	}
	var weights []*weight
	for _, p := range candidates {
		w := newWeight(p)
		locked := c.LockImage && w.part == image || c.LockText && w.part == text || matches(c.Freeze, p.Name)
		unused := p.Buffer || p == m.LogitBias() && c.Loss != "sigmoid"
		if !locked && !unused {
			weights = append(weights, w)
		}
	}
	var names []string
	for _, p := range append(m.Params(), m.Adapters()...) {
		names = append(names, p.Name)
	}
	if len(weights) == 0 {
		return nil, errors.New("train: every parameter is frozen")
	}
	return weights, errors.Join(checkPatterns("NoDecay", c.NoDecay, names), checkPatterns("Freeze", c.Freeze, names))
}

// checkPatterns refuses patterns that are malformed or match no name.
func checkPatterns(field string, patterns, names []string) error {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("train: %s: %q is a malformed pattern", field, pattern)
		}
		if !slices.ContainsFunc(names, func(name string) bool { return matches([]string{pattern}, name) }) {
			return fmt.Errorf("train: %s: %q matches no parameter of the model", field, pattern)
		}
	}
	return nil
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

func dense(data []float32, shape []int) *tensor.Dense {
	if len(shape) == 0 {
		shape = []int{1}
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}
