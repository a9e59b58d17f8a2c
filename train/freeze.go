package train

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/loss"
)

// trained lists the parameters of m that a step updates: of its adapters, where it has
// any, and of all others otherwise, what is not frozen.
func (c *Config) trained(m *encoder.Model) (weights, error) {
	candidates := m.Adapters()
	if len(candidates) == 0 {
		candidates = m.Params()
	}
	var ws weights
	for _, p := range candidates {
		w := newWeight(p)
		locked := c.LockImage && w.part == image || c.LockText && w.part == text || matches(c.Freeze, p.Name)
		unused := p.Buffer || p == m.LogitBias() && c.Loss == loss.Loss(loss.InfoNCE{})
		if !locked && !unused {
			ws = append(ws, w)
		}
	}
	var names []string
	for _, p := range append(m.Params(), m.Adapters()...) {
		names = append(names, p.Name)
	}
	if len(ws) == 0 {
		return nil, errors.New("train: every parameter is frozen")
	}
	if c.Optimizer == OptimizerMuon && !slices.ContainsFunc(ws, c.muon) {
		return nil, errors.New("train: Optimizer is muon, but no matrix is trained that activations are multiplied with")
	}
	return ws, errors.Join(checkPatterns("NoDecay", c.NoDecay, names), checkPatterns("Freeze", c.Freeze, names))
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
