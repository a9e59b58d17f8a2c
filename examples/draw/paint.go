package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
)

// How an image is made.
const (
	tries     = 100  // random images, of which an attempt begins with the best
	looks     = 3    // views at each step, drawn anew
	rate      = 0.06 // of AdamW
	softest   = 0.03 // edges at the start, as parts of the side
	sharpest  = 0.02 // and at the end
	noise     = 0.1  // of the pixels, standard deviation
	shift     = 0.04 // of a view, at most
	zoom      = 0.08
	sharpness = 60   // factor that makes logits of the cosines
	closeness = 120  // weight of the cosine itself beside the choice
	wavy      = 0.25 // weight of the penalty that keeps outlines smooth
	roomy     = 2    // weight of the one that keeps blobs from filling the image
	inside    = 20   // weight of the one that keeps blobs from leaving it
	frameStep = 4    // steps from frame to frame
)

// drawing is one attempt: the parameters as they came to be, and how well the
// model finds that the last of them fit.
type drawing struct {
	frames [][]float64
	score  float64 // the prompt's cosine, less what the nearest rival's is above it
}

// draw makes several images of the first prompt at once and returns them, the
// best first. What it follows is the similarity of that prompt, against that of
// the others, and what some views of an image become in the image tower: a
// gorgonia graph from the images' parameters, over the canvas and the tower, to
// a scalar.
func draw(ctx context.Context, model *encoder.Model, prompts *encoder.Embeddings, blobs, attempts, steps int, seed uint64) ([]drawing, error) {
	s, err := newStudio(model, prompts, blobs, attempts, seed)
	if err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	out := make([]drawing, attempts)
	solver := &train.AdamW{Beta1: 0.9, Beta2: 0.98, Eps: 1e-8}
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if step%frameStep == 0 {
			s.keep(out)
		}
		done := float64(step) / float64(steps)
		s.canvas.soft = softness(done)
		s.look()
		if err := s.machine.Run(); err != nil {
			return nil, fmt.Errorf("draw: step %d: %w", step, err)
		}
		solver.LR = rate * math.Min(1, 2*(1-done))
		s.smooth()
		if err := solver.Step([]G.ValueGrad{s}); err != nil {
			return nil, err
		}
	}
	s.keep(out)
	if err := s.score(out); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b drawing) int { return cmp.Compare(b.score, a.score) })
	return out, nil
}

// softness of edges when so much of the way is done.
func softness(done float64) float64 {
	return softest * math.Pow(sharpest/softest, math.Min(1, 1.25*done))
}
