package encoder

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/lists"
	"github.com/goclip/goclip/nn"
)

// Prediction is one label with its probability.
type Prediction struct {
	Label       string
	Index       int // of the label in the classifier's list
	Probability float64
	Similarity  float64 // cosine of the image and the label
}

// Classifier is a zero-shot classifier: it assigns images to labels given as
// text, without training on them. It is safe for concurrent use.
type Classifier struct {
	model    *Model
	labels   []string
	verbatim bool
	rows     *Embeddings // of the labels
	cut      []string    // prompts
}

// ClassifierOptions say how labels become prompts. The zero value is a label's words
// alone.
type ClassifierOptions struct {
	// Templates are prompts in which {} is replaced by the label's words; none is "{}".
	Templates []string
	// Verbatim takes labels as they are written, without the preparation that
	// [dataset.Options].Templates describes: underscores stay.
	Verbatim bool
}

// NewClassifier embeds each label as CLIP's paper does: {} in every template is
// replaced by the label's words, its underscores by spaces ([ClassifierOptions]), and the
// mean of the templates' normalised embeddings is
// normalised again. Without a template the label stands alone.
//
// The same label may be there twice, as in ImageNet's list; of equally probable ones the
// earlier is first. The model's logit_scale and logit_bias are read when an image is
// classified; its other weights are read now.
func (m *Model) NewClassifier(ctx context.Context, labels []string, templates ...string) (*Classifier, error) {
	return m.NewClassifierWith(ctx, labels, ClassifierOptions{Templates: templates})
}

// NewClassifierWith is [Model.NewClassifier] with options.
func (m *Model) NewClassifierWith(ctx context.Context, labels []string, o ClassifierOptions) (*Classifier, error) {
	if len(labels) == 0 {
		return nil, errors.New("encoder: a classifier needs at least one label")
	}
	templates := o.Templates
	if len(templates) == 0 {
		templates = []string{"{}"}
	}
	var prompts []string
	for _, l := range labels {
		for _, t := range templates {
			if !strings.Contains(t, "{}") {
				return nil, fmt.Errorf("encoder: template %q has no {} for the label", t)
			}
			prompts = append(prompts, strings.ReplaceAll(t, "{}", lists.Key(l, o.Verbatim)))
		}
	}
	e, err := m.EncodeTexts(ctx, prompts...)
	if err != nil {
		return nil, err
	}
	c := &Classifier{
		model: m, labels: slices.Clone(labels), verbatim: o.Verbatim,
		rows: &Embeddings{N: len(labels), Dim: e.Dim, Data: make([]float32, len(labels)*e.Dim)},
	}
	for _, i := range e.Cut {
		c.cut = append(c.cut, prompts[i])
	}
	for i := range labels {
		row := c.rows.Row(i)
		for j := range templates {
			kernel.Axpy(row, 1/float32(len(templates)), e.Row(i*len(templates)+j))
		}
		nn.NormalizeRow(row, row)
	}
	return c, nil
}

// Labels returns the labels in the order given, as they were given.
func (c *Classifier) Labels() []string {
	if c == nil {
		return nil
	}
	return slices.Clone(c.labels)
}

// Verbatim reports whether labels are taken as they are written.
func (c *Classifier) Verbatim() bool { return c != nil && c.verbatim }

// Cut returns the prompts that were longer than the model's context length, and so may
// have lost their labels.
func (c *Classifier) Cut() []string {
	if c == nil {
		return nil
	}
	return slices.Clone(c.cut)
}

// Embeddings returns those of the labels, (C, D), normalised: the weights of the
// classifier. A classifier that is not one of [Model.NewClassifier] has none: N is 0.
func (c *Classifier) Embeddings() *Embeddings {
	if c == nil || c.rows == nil {
		return &Embeddings{}
	}
	return &Embeddings{N: c.rows.N, Dim: c.rows.Dim, Data: slices.Clone(c.rows.Data)}
}

// Scale returns exp(logit_scale), the factor that turns cosines into logits, as
// the model has it now; 0 for a classifier that is not one of [Model.NewClassifier].
func (c *Classifier) Scale() float64 {
	if c == nil || c.model == nil {
		return 0
	}
	return math.Exp(float64(c.model.logitScale.Data[0]))
}

// Classify returns all labels for an image, the most probable first.
func (c *Classifier) Classify(ctx context.Context, img image.Image) ([]Prediction, error) {
	if c == nil || c.model == nil {
		return nil, errors.New("encoder: the Classifier is empty, want one of NewClassifier")
	}
	e, err := c.model.EncodeImages(ctx, img)
	if err != nil {
		return nil, err
	}
	return c.Predict(e)[0], nil
}

// Predict returns all labels for every image embedding, the most probable first, with
// probabilities of the model's kind: see [Model.Probabilities]. It is nil for no
// embeddings. It panics if they are not of the model's size, (N, D).
func (c *Classifier) Predict(images *Embeddings) [][]Prediction {
	if images == nil || images.N == 0 {
		return nil
	}
	if dim := c.Embeddings().Dim; images.Dim != dim || images.validate() != nil {
		panic(fmt.Sprintf("encoder: Predict: %d numbers for %d embeddings of size %d, want size %d", len(images.Data), images.N, images.Dim, dim))
	}
	scale := c.Scale()
	out := make([][]Prediction, images.N)
	for i := range out {
		ps := make([]Prediction, len(c.labels))
		top := math.Inf(-1)
		for j, label := range c.labels {
			cos := images.Cosine(i, c.rows.Row(j))
			ps[j] = Prediction{Label: label, Index: j, Similarity: cos}
			top = math.Max(top, cos)
		}
		c.model.probabilities(ps, scale, top)
		slices.SortStableFunc(ps, func(a, b Prediction) int {
			switch {
			case a.Similarity > b.Similarity:
				return -1
			case a.Similarity < b.Similarity:
				return 1
			}
			return 0
		})
		out[i] = ps
	}
	return out
}
