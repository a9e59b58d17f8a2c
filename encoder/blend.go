package encoder

import (
	"fmt"
	"slices"
)

// Blend makes the model's parameters (1−alpha)·start + alpha·tuned, the weights that lie
// between a model and one that was fine-tuned from it (Wortsman et al., 2022, Robust
// fine-tuning of zero-shot models, WiSE-FT). With an alpha of 0 they are those of start to
// the bit, with 1 those of tuned. The three models have the same parameters, of which an
// error names the first that differs in name or shape; none of them may have LoRA adapters,
// and the model must be trainable (Options.Trainable), and may be start or tuned itself. No other method of
// the model may run at the same time.
func (m *Model) Blend(start, tuned *Model, alpha float64) error {
	if !(alpha >= 0 && alpha <= 1) {
		return fmt.Errorf("encoder: blend: alpha is %g, want 0 to 1", alpha)
	}
	for i, x := range []*Model{m, start, tuned} {
		if slices.Contains([]*Model{m, start, tuned}[:i], x) {
			continue // holding one twice could wait for its Close, which waits for us
		}
		end, err := x.begin()
		if err != nil {
			return err
		}
		defer end()
		if _, adapted := x.LoRA(); adapted {
			return fmt.Errorf("encoder: blend: a model has LoRA adapters: merge them first")
		}
	}
	if !m.Trainable() {
		return fmt.Errorf("encoder: blend: the model's weights are mapped from a file: load it with Options.Trainable")
	}
	to, a, b := m.Params(), start.Params(), tuned.Params()
	if len(to) != len(a) || len(to) != len(b) {
		return fmt.Errorf("encoder: blend: models of %d, %d and %d parameters", len(to), len(a), len(b))
	}
	for i, p := range to {
		if p.Name != a[i].Name || p.Name != b[i].Name || !slices.Equal(p.Shape, a[i].Shape) || !slices.Equal(p.Shape, b[i].Shape) {
			return fmt.Errorf("encoder: blend: parameters %s%v, %s%v and %s%v", p.Name, p.Shape, a[i].Name, a[i].Shape, b[i].Name, b[i].Shape)
		}
	}
	for i, p := range to {
		blend(p.Data, a[i].Data, b[i].Data, alpha)
	}
	return nil
}

// blend computes in float64, so that the ends are exact.
func blend(to, a, b []float32, alpha float64) {
	for i := range to {
		to[i] = float32((1-alpha)*float64(a[i]) + alpha*float64(b[i]))
	}
}
