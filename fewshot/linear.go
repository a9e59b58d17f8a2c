package fewshot

import (
	"context"
	"fmt"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/logistic"
	"github.com/goclip/goclip/nn"
)

// Linear is a head whose logits are x·Wᵀ.
type Linear struct {
	W *encoder.Embeddings // (C, D), not normalised
}

// Logits implements [Head]. An empty head has no logits.
func (l Linear) Logits(images *encoder.Embeddings) []float32 {
	if l.W == nil || images == nil {
		return nil
	}
	z := make([]float32, images.N*l.W.N)
	kernel.Gemm(kernel.NT, images.N, l.W.N, l.W.Dim, 1, images.Data, images.Dim, l.W.Data, l.W.Dim, 0, z, l.W.N)
	return z
}

// ZeroShot is the classifier that the names of the classes make alone; empty without any.
func ZeroShot(text *encoder.Embeddings, scale float64) Linear {
	if text == nil {
		return Linear{}
	}
	return Linear{scaled(text, scale)}
}

func scaled(e *encoder.Embeddings, by float64) *encoder.Embeddings {
	out := &encoder.Embeddings{N: e.N, Dim: e.Dim, Data: make([]float32, len(e.Data))}
	kernel.Axpy(out.Data, float32(by), e.Data)
	return out
}

// NearestMean compares an image with the mean of each class's examples, by
// cosine. It uses neither the names nor the validation images.
func NearestMean(t Task) (Linear, error) {
	if err := t.validate(false); err != nil {
		return Linear{}, err
	}
	means := &encoder.Embeddings{N: t.Text.N, Dim: t.Text.Dim, Data: make([]float32, len(t.Text.Data))}
	for i, c := range t.Shots.Classes {
		kernel.Axpy(means.Row(c), 1, t.Shots.Images.Row(i))
	}
	for c := range means.N {
		nn.NormalizeRow(means.Row(c), means.Row(c))
	}
	return Linear{scaled(means, t.Scale)}, nil
}

// penalties are tried by Probe, the strongest first. At the first the weights
// are those of the names but for a thousandth.
var penalties = []float64{10, 1, 1e-1, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 1e-7}

// Probe is logistic regression that begins at the zero-shot classifier: the L2
// penalty pulls the weights to those of the names instead of to zero, which, in
// a convex problem, is what remains of where a search began. Its strength is
// chosen on the validation images, from ‖W − W₀‖ ≈ 0 downwards.
func Probe(ctx context.Context, t Task) (Linear, error) {
	if err := t.validate(true); err != nil {
		return Linear{}, err
	}
	r, err := logistic.New(t.Shots.Images.Data, t.Text.Dim, t.Shots.Classes, t.Text.N)
	if err != nil {
		return Linear{}, fmt.Errorf("fewshot: probe: %w", err)
	}
	first := ZeroShot(t.Text, t.Scale)
	best := newChoice[Linear](&t.Val)
	best.offer(first, first.Logits(t.Val.Images))
	prior := &logistic.Weights{W: make([]float64, len(t.Text.Data))}
	for i, v := range first.W.Data {
		prior.W[i] = float64(v)
	}
	at := prior
	for _, l2 := range penalties {
		if at, err = r.Fit(ctx, logistic.Config{L2: l2, Prior: prior, Start: at}); err != nil {
			return Linear{}, fmt.Errorf("fewshot: probe: %w", err)
		}
		l := Linear{&encoder.Embeddings{N: t.Text.N, Dim: t.Text.Dim, Data: make([]float32, len(at.W))}}
		for i, v := range at.W {
			l.W.Data[i] = float32(v)
		}
		best.offer(l, l.Logits(t.Val.Images))
	}
	return best.best, nil
}
