// Package eval measures models: zero-shot classification and retrieval.
package eval

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
)

// Pictures are decoded, and then encoded, until there are so many of them or of
// their pixels.
const (
	batch       = 64
	batchPixels = 1 << 24
)

// ZeroShot is the outcome of classifying a labelled set without training on it.
type ZeroShot struct {
	Classes   []string
	Confusion [][]int // [true class][predicted class]
	Top5      int     // pictures whose class was among the five most probable
	Skipped   []error // samples that could not be used, and why
}

// Classify runs a classifier over a labelled set. Samples whose label is not one
// of the classifier's, or whose picture cannot be read, are skipped and listed; a
// set of which none is left is an error, and so are two classes of one label.
// Each picture and its predictions go to see, which may be nil.
func Classify(ctx context.Context, m *encoder.Model, c *encoder.Classifier, src dataset.Source,
	see func(pair dataset.Pair, best []encoder.Prediction)) (*ZeroShot, error) {
	z := &ZeroShot{Classes: c.Labels()}
	index := make(map[string]int)
	for i, l := range z.Classes {
		if j, twice := index[l]; twice {
			return nil, fmt.Errorf("eval: classes %d and %d are both %q", j, i, l)
		}
		index[l] = i
		z.Confusion = append(z.Confusion, make([]int, len(z.Classes)))
	}
	err := each(ctx, m, src, &z.Skipped, func(_ dataset.Sample, pair dataset.Pair, row *encoder.Embeddings) {
		truth, ok := index[pair.Label]
		if !ok {
			z.Skipped = append(z.Skipped, fmt.Errorf("eval: %s: label %q is not a class", pair.Key, pair.Label))
			return
		}
		best := c.Predict(row)[0]
		z.Confusion[truth][best[0].Index]++
		for _, p := range best[:min(5, len(best))] {
			if p.Index == truth {
				z.Top5++
			}
		}
		if see != nil {
			see(pair, best)
		}
	})
	if err == nil && z.N() == 0 {
		err = nothing(z.Skipped)
	}
	if err != nil {
		return nil, err
	}
	return z, nil
}

// nothing is the error of a set without a picture that can be used.
func nothing(skipped []error) error {
	if len(skipped) == 0 {
		return errors.New("eval: the set is empty")
	}
	return fmt.Errorf("eval: none of %d pictures can be used; the first: %w", len(skipped), skipped[0])
}

// each encodes the pictures of a set and hands them out one by one, in order.
func each(ctx context.Context, m *encoder.Model, src dataset.Source, skipped *[]error,
	use func(dataset.Sample, dataset.Pair, *encoder.Embeddings)) error {
	var samples []dataset.Sample
	var pairs []dataset.Pair
	pixels := 0
	flush := func() error {
		imgs := make([]image.Image, len(pairs))
		for i, p := range pairs {
			imgs[i] = p.Image
		}
		e, err := m.EncodeImages(ctx, imgs...)
		if err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		for i, p := range pairs {
			if !kernel.AllFinite(e.Row(i)) {
				return fmt.Errorf("eval: %s: the picture's embedding is not finite", p.Key)
			}
			use(samples[i], p, &encoder.Embeddings{N: 1, Dim: e.Dim, Data: e.Row(i)})
		}
		samples, pairs, pixels = samples[:0], pairs[:0], 0
		return nil
	}
	for sample, err := range src.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		pair, err := sample.Pair(0)
		if err != nil {
			*skipped = append(*skipped, fmt.Errorf("eval: %s: %s: %w", sample.File, sample.Key, err))
			continue
		}
		samples, pairs = append(samples, sample), append(pairs, pair)
		pixels += pair.Image.Bounds().Dx() * pair.Image.Bounds().Dy()
		if len(pairs) == batch || pixels >= batchPixels {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// N returns the number of pictures classified.
func (z *ZeroShot) N() int {
	n := 0
	for i := range z.Classes {
		n += z.count(i)
	}
	return n
}

func (z *ZeroShot) count(class int) int {
	n := 0
	for _, k := range z.Confusion[class] {
		n += k
	}
	return n
}

// Accuracy is the share of pictures whose most probable class was theirs.
func (z *ZeroShot) Accuracy() float64 {
	right := 0
	for i := range z.Classes {
		right += z.Confusion[i][i]
	}
	return float64(right) / float64(z.N())
}

// Class returns the accuracy on one class and the number of its pictures.
func (z *ZeroShot) Class(i int) (accuracy float64, n int) {
	n = z.count(i)
	if n == 0 {
		return 0, 0
	}
	return float64(z.Confusion[i][i]) / float64(n), n
}
