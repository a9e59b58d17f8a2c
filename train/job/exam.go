package job

import (
	"context"
	"fmt"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
)

// Exam evaluates a model during training, with open_clip's names of metrics:
// zero-shot accuracy where the set has classes, and retrieval recall@k otherwise.
type Exam struct {
	Set       dataset.Source // nil for no exam
	Classes   []string
	Templates []string // for the classes
	Every     int      // steps between evaluations; zero means once per epoch
}

// every is the number of steps between measurements.
func (e Exam) every(samples, batch, steps int) int {
	switch {
	case e.Every != 0:
		return e.Every
	case samples < batch: // a stream
		return steps
	}
	return samples / batch
}

// of returns the measurement of a model, nil where there is no set.
func (e Exam) of(m *encoder.Model) func(ctx context.Context) (map[string]float64, error) {
	switch {
	case e.Set == nil:
		return nil
	case len(e.Classes) > 0:
		return func(ctx context.Context) (map[string]float64, error) { return e.accuracy(ctx, m) }
	}
	return func(ctx context.Context) (map[string]float64, error) { return e.recall(ctx, m) }
}

func (e Exam) accuracy(ctx context.Context, m *encoder.Model) (map[string]float64, error) {
	classifier, err := m.NewClassifier(ctx, e.Classes, e.Templates...)
	if err != nil {
		return nil, err
	}
	c, err := eval.Classify(ctx, m, classifier, e.Set, nil)
	if err != nil {
		return nil, err
	}
	return map[string]float64{"top1": c.Accuracy(), "top5": c.Top5Accuracy()}, nil
}

func (e Exam) recall(ctx context.Context, m *encoder.Model) (map[string]float64, error) {
	ks := []int{1, 5, 10}
	r, err := eval.Retrieve(ctx, m, e.Set, ks...)
	if err != nil {
		return nil, err
	}
	found := make(map[string]float64)
	for _, k := range ks {
		found[fmt.Sprintf("image_to_text_R@%d", k)] = r.ImageToText[k]
		found[fmt.Sprintf("text_to_image_R@%d", k)] = r.TextToImage[k]
	}
	return found, nil
}
