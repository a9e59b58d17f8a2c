package train

import (
	"errors"
	"fmt"
	"path"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/encoder"
)

// weight is a parameter that is trained, with its latest gradient, as gorgonia's
// solvers take it.
type weight struct {
	param *encoder.Param
	value *tensor.Dense
	grad  G.Value
}

func (w *weight) Value() G.Value         { return w.value }
func (w *weight) Grad() (G.Value, error) { return w.grad, nil }

// trained lists the parameters of m that a step updates.
func (c *Config) trained(m *encoder.Model) ([]*weight, error) {
	var names []string
	locked := make(map[*encoder.Param]bool)
	lock := func(params []*encoder.Param) {
		for _, p := range params {
			locked[p] = true
		}
	}
	if c.LockImage {
		lock(m.Vision().Params())
	}
	if c.LockText {
		lock(m.Text().Params())
	}
	var weights []*weight
	for _, p := range m.Params() {
		names = append(names, p.Name)
		unused := p == m.LogitBias() && c.Loss != "sigmoid"
		if !p.Buffer && !unused && !locked[p] && !matches(c.Freeze, p.Name) {
			weights = append(weights, &weight{param: p, value: dense(p.Data, p.Shape)})
		}
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
