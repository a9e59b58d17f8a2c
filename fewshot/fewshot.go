// Package fewshot is few-shot classification: classifiers from a handful of
// images per class. The model stays frozen: everything works on its embeddings,
// and starts from the text embeddings of the class names.
//
//   - [NearestMean] ignores the names: the class whose mean image embedding is
//     nearest.
//   - [TipAdapter] adds to the zero-shot logits those of a cache of the examples
//     (Zhang et al., ECCV 2022); nothing is trained.
//   - [TipAdapterF] trains the examples' keys as well.
//   - [Probe] is a linear probe that starts from the zero-shot classifier.
//
// Hyperparameters (the weight of the cache, a penalty, the epoch) are chosen on a
// few further images, [Task].Val, never on a test set. [Study] compares the
// methods over numbers of examples and random draws of them.
package fewshot

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
)

// Set is images with their classes.
type Set struct {
	Images  *encoder.Embeddings // (N, D), normalised
	Classes []int               // (N), class indices
}

// Task is what a method learns from.
type Task struct {
	Text  *encoder.Embeddings // (C, D), normalised: the names of the classes, as [encoder.Classifier] has them
	Scale float64             // exp(logit_scale), the factor that turns cosines into logits
	Shots Set                 // the examples, in any order
	Val   Set                 // further images, to choose settings on
}

// Head gives the logits of the C classes, row-major (N, C), for N embeddings of the
// task's D numbers.
// Heads are not changed once they are made, and serve several goroutines.
type Head interface {
	Logits(images *encoder.Embeddings) []float32
}

// validate reports what a method cannot begin with. Not every method needs
// validation images.
func (t *Task) validate(val bool) error {
	if t.Text == nil || t.Text.N < 2 || t.Text.Dim < 1 || len(t.Text.Data) != t.Text.N*t.Text.Dim {
		return errors.New("fewshot: Text: want an embedding for each of two or more classes")
	}
	if !kernel.AllFinite(t.Text.Data) {
		return errors.New("fewshot: Text: an embedding is not finite")
	}
	if !(t.Scale > 0) || math.IsInf(t.Scale, 1) {
		return fmt.Errorf("fewshot: Scale is %g, want a positive number", t.Scale)
	}
	if err := t.Shots.validate("Shots", t.Text); err != nil {
		return err
	}
	have := make([]bool, t.Text.N)
	for _, c := range t.Shots.Classes {
		have[c] = true
	}
	for c, ok := range have {
		if !ok {
			return fmt.Errorf("fewshot: Shots: class %d has no example", c)
		}
	}
	if val {
		return t.Val.validate("Val", t.Text)
	}
	return nil
}

func (s *Set) validate(name string, text *encoder.Embeddings) error {
	switch {
	case s.Images == nil || s.Images.N == 0:
		return fmt.Errorf("fewshot: %s: no images", name)
	case s.Images.Dim != text.Dim || len(s.Images.Data) != s.Images.N*s.Images.Dim:
		return fmt.Errorf("fewshot: %s: %d numbers for %d embeddings, want %d each", name, len(s.Images.Data), s.Images.N, text.Dim)
	case len(s.Classes) != s.Images.N:
		return fmt.Errorf("fewshot: %s: %d classes for %d images", name, len(s.Classes), s.Images.N)
	case !kernel.AllFinite(s.Images.Data):
		return fmt.Errorf("fewshot: %s: an embedding is not finite", name)
	}
	for i, c := range s.Classes {
		if c < 0 || c >= text.N {
			return fmt.Errorf("fewshot: %s: image %d has class %d, want 0 to %d", name, i, c, text.N-1)
		}
	}
	return nil
}

// Predict returns the most probable class of each image, the first of equals; nil
// without a head or images.
func Predict(h Head, images *encoder.Embeddings) []int {
	if h == nil || images == nil {
		return nil
	}
	z := h.Logits(images)
	out := make([]int, images.N)
	for i := range out {
		c := len(z) / images.N
		row := z[i*c:][:c]
		for j, v := range row {
			if v > row[out[i]] {
				out[i] = j
			}
		}
	}
	return out
}

// choice keeps the best of what was offered: that with the lowest cross-entropy on
// the validation images, the first of equals. With a few images a class their
// number right is too coarse: settings chosen by it lose what zero-shot knows.
type choice[T any] struct {
	classes []int
	best    T
	cost    float64
}

func newChoice[T any](val *Set) *choice[T] {
	return &choice[T]{classes: val.Classes, cost: math.Inf(1)}
}

// offer takes one more setting and the logits, (N, C), that it gives.
func (k *choice[T]) offer(setting T, z []float32) {
	c := len(z) / len(k.classes)
	cost := 0.0
	for i, y := range k.classes {
		row := z[i*c:][:c]
		top, sum := float64(slices.Max(row)), 0.0
		for _, v := range row {
			sum += math.Exp(float64(v) - top)
		}
		cost += top + math.Log(sum) - float64(row[y])
	}
	if cost < k.cost {
		k.best, k.cost = setting, cost
	}
}
