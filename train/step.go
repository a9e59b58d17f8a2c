package train

import (
	"context"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/dataset"
)

// This file is the plain step, whole; the towers are in graph.go, the loss is in
// objective.go. What a Config adds stands in a file of its own: gradcache.go,
// distill.go, patches.go, freeze.go, depth.go, ema.go, spread.go.

// Step trains on one batch of two or more pairs: [Trainer.Prepare], then
// [Trainer.StepBatch].
func (t *Trainer) Step(ctx context.Context, pairs []dataset.Pair) (Stats, error) {
	b, err := t.Prepare(pairs) // pixels and token ids
	if err != nil {
		return Stats{}, t.agree(ctx, err)
	}
	return t.StepBatch(ctx, b)
}

// StepBatch trains on a prepared batch. An error leaves the weights as they were
// before the step. A NaN or infinity in the loss or in a gradient is an error
// that names the step and where it comes from: pixels, weights, or the loss itself.
func (t *Trainer) StepBatch(ctx context.Context, b *Batch) (Stats, error) {
	rate, end, err := t.begin(ctx, b) // where the batch fits the model, which stays open until the end
	if err != nil {
		return Stats{}, err
	}
	defer end()
	out, err := t.strategy.backpropagate(ctx, b, t.step) // gives each weight its gradient
	if err != nil {
		return Stats{}, err
	}
	grads, err := gradients(t.params)
	if err != nil {
		return Stats{}, err
	}
	norm, err := t.norm(ctx, grads)
	if err != nil {
		return Stats{}, err
	}
	stats := measure(b, out, norm)
	stats.Step, stats.LR, stats.Chance = t.step, rate, t.objective.chance(b.N)
	if err := t.finite(ctx, stats, b, grads); err != nil {
		return Stats{}, err
	}
	t.solver.LR = stats.LR
	if err := t.update(ctx, grads, norm); err != nil { // clips the gradients, then AdamW
		return Stats{}, err
	}
	stats.LogitScale, stats.Clamped = t.temperature.clamp()
	t.average.update(t.step)
	t.step++
	return stats, nil
}

// whole computes the gradients of a batch by one graph over all of it.
type whole struct{ *graphs }

func (w whole) backpropagate(_ context.Context, b *Batch, step int) (outcome, error) {
	length, err := captionLength(w.model, b)
	if err != nil {
		return outcome{}, err
	}
	p, err := w.pass(shape{"step", b.N, length, b.texts(), b.teacherDim()}, func(p *pass) {
		p.embeddings = [2]*G.Node{p.imageTower(), p.textTower()} // (B, D) each
		p.cost = p.loss()
		p.grads = p.gradients(w.weights)
	})
	if err != nil {
		return outcome{}, err
	}
	if err := p.run(b, 0, step); err != nil {
		return outcome{}, err
	}
	w.weights.take(p.grads)
	return p.outcome(), nil
}
