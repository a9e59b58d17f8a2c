package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/sweep"
)

// Classify runs a zero-shot classifier over a labelled set, in memory that does
// not grow with it. Labels are compared by their words, or as they are written where the
// classifier takes them so. Images whose label is not one of the classifier's count as
// wrong, and the labels are listed in Unknown. Samples without a label, or whose
// image cannot be read, are skipped and listed; a set of which none is left is
// an error. Each image with a label of the classifier's and its
// predictions go to see, which may be nil.
func Classify(ctx context.Context, m *encoder.Model, c *encoder.Classifier, src dataset.Source,
	see func(pair dataset.Pair, best []encoder.Prediction)) (*Classification, error) {
	if c == nil {
		return nil, errNoClassifier
	}
	if err := sweep.Ready(m, src); err != nil {
		return nil, fmt.Errorf("eval: classify: %w", err)
	}
	if err := matches(c, m.Config().EmbedDim()); err != nil {
		return nil, err
	}
	z := newClassification(c.Labels(), c.Verbatim())
	each := sweep.Each
	if see != nil {
		each = sweep.EachPicture
	}
	err := each(ctx, m, src, &z.Skipped, func(_ dataset.Sample, pair dataset.Pair, row *encoder.Embeddings) {
		truth, ok := z.truth(pair.Key, pair.Label)
		if !ok {
			return
		}
		best := c.Predict(row)[0]
		z.addPredictions(truth, best)
		if see != nil && truth != none {
			see(pair, best)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return z.finish()
}

// matches refuses a classifier of another model than the images.
func matches(c *encoder.Classifier, dim int) error {
	if own := c.Embeddings().Dim; own != dim {
		return fmt.Errorf("eval: classify: a Classifier of embeddings of %d numbers cannot take %d", own, dim)
	}
	return nil
}

var errNoClassifier = errors.New("eval: classify: Classifier is nil")

// Classify runs a zero-shot classifier over images already embedded.
func (f *Features) Classify(c *encoder.Classifier) (*Classification, error) {
	if c == nil {
		return nil, errNoClassifier
	}
	z, err := f.classification(c.Labels(), c.Verbatim())
	if err != nil {
		return nil, err
	}
	if err := matches(c, f.Images.Dim); err != nil {
		return nil, err
	}
	for i, label := range f.Labels {
		if truth, ok := z.truth(f.Keys[i], label); ok {
			z.addPredictions(truth, c.Predict(f.row(i))[0])
		}
	}
	return z.finish()
}

func (c *Classification) addPredictions(truth int, best []encoder.Prediction) {
	rank := len(best)
	if truth != none {
		rank = slices.IndexFunc(best, func(p encoder.Prediction) bool { return p.Index == truth })
	}
	c.add(truth, best[0].Index, rank, best[0].Probability)
}
