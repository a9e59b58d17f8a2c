package train

import (
	"errors"
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as
// torch.optim.AdamW computes it. It implements gorgonia.Solver. Gorgonia's own
// AdamW does not update the weights.
type AdamW struct {
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64
	// ClipNorm, where positive, scales the gradients down so that their global L2
	// norm is at most this.
	ClipNorm float64
	// Exempt says which tensors get no weight decay, by their index in the
	// model; nil means those of fewer than two dimensions.
	Exempt func(i int, v G.Value) bool
	// Rate, where not nil, gives the factor of LR for a tensor, by its index in
	// the model.
	Rate func(i int) float64
	// Moments is how the moments are kept; zero means float32.
	Moments Moments

	matrix   func(i int) bool // the tensors that Muon updates in its place, see [OptimizerMuon]; nil for none
	momentum float64          // of Muon

	steps   int
	moments []moment
}

var _ G.Solver = (*AdamW)(nil)

// Step updates every tensor of the model in place from its gradient. The model
// must list the same tensors in the same order at every call.
func (a *AdamW) Step(model []G.ValueGrad) error {
	if a == nil {
		return errors.New("train: AdamW is nil")
	}
	grads, err := gradients(model)
	if err != nil {
		return err
	}
	return a.step(model, grads, globalNorm(grads), func(int) {})
}

// gradients returns the elements of each tensor's gradient.
func gradients(model []G.ValueGrad) ([][]float32, error) {
	grads := make([][]float32, len(model))
	for i, p := range model {
		g, err := p.Grad()
		if err != nil {
			return nil, fmt.Errorf("train: gradient %d: %w", i, err)
		}
		data, ok := g.Data().([]float32)
		if !ok {
			return nil, fmt.Errorf("train: gradient %d holds %T, want []float32", i, g.Data())
		}
		grads[i] = data
	}
	return grads, nil
}

func globalNorm(grads [][]float32) float64 {
	var sum float64
	for _, g := range grads {
		sum += kernel.SumSquares(g)
	}
	return math.Sqrt(sum)
}

// step is Step with gradients of that norm, and tells which tensors it has updated, in any order
// and from several goroutines.
func (a *AdamW) step(model []G.ValueGrad, grads [][]float32, norm float64, updated func(i int)) error {
	if err := enum.Valid(a.Moments, momentsNames()); err != nil {
		return fmt.Errorf("train: AdamW: Moments %w", err)
	}
	if err := a.Moments.check(a.Beta2); err != nil {
		return err
	}
	a.reserve(model)
	if len(a.moments) != len(model) {
		return fmt.Errorf("train: AdamW has seen %d tensors before, now %d", len(a.moments), len(model))
	}
	scale := 1.0
	if a.ClipNorm > 0 && norm > a.ClipNorm {
		scale = a.ClipNorm / norm
	}
	values := make([][]float32, len(model))
	for i, p := range model {
		w, ok := p.Value().Data().([]float32)
		if !ok || len(w) != len(grads[i]) || len(w) != a.moments[i].len() {
			return fmt.Errorf("train: tensor %d holds %T of shape %v, its gradient %d numbers", i, p.Value().Data(), p.Value().Shape(), len(grads[i]))
		}
		values[i] = w
	}
	a.steps++
	parallel.For(len(model), func(i int) {
		decay := a.WeightDecay
		if a.exempt(i, model[i].Value()) {
			decay = 0
		}
		s := kernel.AdamWStep{
			Beta1: float32(a.Beta1), Beta2: float32(a.Beta2), Eps: float32(a.Eps),
			LR: float32(a.LR * a.rate(i)), WeightDecay: float32(decay), GradScale: float32(scale),
			Correction1: float32(1 - math.Pow(a.Beta1, float64(a.steps))),
			Correction2: float32(1 - math.Pow(a.Beta2, float64(a.steps))),
		}
		if a.moments[i].rows > 0 {
			a.moments[i].orthogonal(values[i], grads[i], s, float32(a.momentum))
		} else {
			a.moments[i].update(values[i], grads[i], s)
		}
		updated(i)
	})
	return nil
}

// reserve gives every tensor its moments, zeros at first.
func (a *AdamW) reserve(model []G.ValueGrad) {
	if a.moments != nil {
		return
	}
	a.moments = make([]moment, len(model))
	table := newTables()
	for i, p := range model {
		if shape := p.Value().Shape(); a.matrix != nil && a.matrix(i) {
			a.moments[i] = momentum(shape.TotalSize(), shape[0])
		} else {
			a.moments[i] = a.Moments.of(shape.TotalSize(), table)
		}
	}
}

func (a *AdamW) exempt(i int, v G.Value) bool {
	if a.Exempt != nil {
		return a.Exempt(i, v)
	}
	return v.Shape().Dims() < 2
}

func (a *AdamW) rate(i int) float64 {
	if a.Rate != nil {
		return a.Rate(i)
	}
	return 1
}
