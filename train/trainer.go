// Package train fits CLIP models to pairs of pictures and captions.
//
// The loop belongs to the user: [Trainer.Step] takes one batch and returns what
// it measured. [Trainer.Fit] is a loop for long runs, with checkpoints to go on
// from and observers. Two runs with one seed and one sequence of batches end with
// the same weights, bit for bit, on any number of cores, stopped in between or not.
package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
)

// Trainer updates a model's parameters. It is not safe for concurrent use, and
// the model must not encode while a step runs.
type Trainer struct {
	model   *encoder.Model
	cfg     Config
	solver  AdamW
	params  []G.ValueGrad
	weights []*weight // params, with their names; frozen parameters are not among them
	average average
	passes  map[shape]*pass
	step    int
}

// New prepares the training of m: of its adapters, where it has any, and of all
// its parameters otherwise.
func New(m *encoder.Model, cfg Config) (*Trainer, error) {
	cfg, err := cfg.withDefaults(m)
	if err != nil {
		return nil, err
	}
	if !m.Trainable() && len(m.Adapters()) == 0 {
		return nil, errors.New("train: the model's weights are mapped from a file: load it with Options.Trainable, or give it LoRA adapters")
	}
	t := &Trainer{
		model: m, cfg: cfg, passes: make(map[shape]*pass),
		solver: AdamW{Beta1: cfg.Beta1, Beta2: cfg.Beta2, Eps: cfg.Eps, WeightDecay: cfg.WeightDecay, ClipNorm: cfg.ClipNorm},
	}
	if t.weights, err = cfg.trained(m); err != nil {
		return nil, err
	}
	for _, w := range t.weights {
		t.params = append(t.params, w)
		w.rate = math.Pow(cfg.LayerDecay, float64(depth(m, w.param.Name)))
	}
	t.solver.Exempt = func(i int, _ G.Value) bool {
		return !t.weights[i].param.Decayed() || matches(cfg.NoDecay, t.weights[i].param.Name)
	}
	t.solver.Rate = func(i int) float64 { return t.weights[i].rate }
	t.average = newAverage(cfg.EMA, t.weights)
	return t, nil
}

// Step trains on one batch of two or more pairs: [Trainer.Prepare], then
// [Trainer.StepBatch].
func (t *Trainer) Step(ctx context.Context, pairs []dataset.Pair) (Stats, error) {
	b, err := t.Prepare(pairs)
	if err != nil {
		return Stats{}, err
	}
	return t.StepBatch(ctx, b)
}

// StepBatch trains on a prepared batch. An error leaves the weights as they were
// before the step: a NaN or infinity in the loss or in a gradient is one, and it
// names the step and the tensor.
func (t *Trainer) StepBatch(ctx context.Context, b *Batch) (Stats, error) {
	if err := ctx.Err(); err != nil {
		return Stats{}, err
	}
	if err := t.check(b); err != nil {
		return Stats{}, err
	}
	loss, embeddings, err := t.backpropagate(ctx, b)
	if err != nil {
		return Stats{}, err
	}
	grads, err := gradients(t.params)
	if err != nil {
		return Stats{}, err
	}
	stats := Stats{
		Step: t.step, Pairs: b.N, Truncated: b.Truncated, Repeated: b.Repeated, Chance: t.chance(b.N),
		Loss: loss, GradNorm: globalNorm(grads), LR: t.cfg.LR(t.step),
		ImageCosine: meanCosine(embeddings[image], b.N), TextCosine: meanCosine(embeddings[text], b.N),
	}
	if err := t.finite(stats, grads); err != nil {
		return Stats{}, err
	}
	t.solver.LR = stats.LR
	if err := t.solver.step(t.params, grads, stats.GradNorm); err != nil {
		return Stats{}, err
	}
	stats.LogitScale, stats.Clamped = t.clamp()
	t.average.update(t.weights, t.step)
	t.step++
	return stats, nil
}

// Gradient returns the last step's gradient of the parameter of that name, before
// clipping, valid until the next step; nil if there is none.
func (t *Trainer) Gradient(name string) []float32 {
	for _, w := range t.weights {
		if w.param.Name == name && w.grad != nil {
			return w.grad.Data().([]float32)
		}
	}
	return nil
}

// Steps returns the number of steps done.
func (t *Trainer) Steps() int { return t.step }

func (t *Trainer) trains(p *nn.Param) bool {
	return slices.ContainsFunc(t.weights, func(w *weight) bool { return w.param == p })
}

func (t *Trainer) finite(s Stats, grads [][]float32) error {
	if !math.IsNaN(s.Loss) && !math.IsInf(s.Loss, 0) && !math.IsNaN(s.GradNorm) && !math.IsInf(s.GradNorm, 0) {
		return nil
	}
	where := "the loss"
	for i, g := range grads {
		if !kernel.AllFinite(g) {
			where += " and the gradient of " + t.weights[i].param.Name
			break
		}
	}
	for _, w := range t.weights {
		if !kernel.AllFinite(w.param.Data) {
			where = "the weights " + w.param.Name
			break
		}
	}
	return fmt.Errorf("train: step %d: loss %g, gradient norm %g: not finite in %s; the weights are those before the step", s.Step, s.Loss, s.GradNorm, where)
}
