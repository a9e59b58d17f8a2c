package main

import (
	"context"
	"fmt"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
)

// exam measures a model while it is trained, under the names that open_clip gives
// its metrics; one without a set measures nothing.
type exam struct {
	set       *dataset.Set
	templates []string
}

func (c *trainCommand) exam(templates []string) (*exam, error) {
	if c.Test == "" {
		return &exam{}, nil
	}
	set, err := c.openAs(c.Test, templates)
	return &exam{set, templates}, err
}

func (e *exam) close() error {
	if e.set == nil {
		return nil
	}
	return e.set.Close()
}

// testEvery is the number of steps between measurements.
func (c *trainCommand) testEvery(samples, steps int) int {
	switch {
	case c.TestEvery != 0:
		return c.TestEvery
	case samples < 0: // a stream
		return steps
	}
	return samples / c.BatchSize
}

// of returns the measurement of a model, nil where there is no set.
func (e *exam) of(m *encoder.Model) func(ctx context.Context) (map[string]float64, error) {
	switch {
	case e.set == nil:
		return nil
	case len(e.set.Classes()) > 0:
		return func(ctx context.Context) (map[string]float64, error) { return e.accuracy(ctx, m) }
	}
	return func(ctx context.Context) (map[string]float64, error) { return e.recall(ctx, m) }
}

func (e *exam) accuracy(ctx context.Context, m *encoder.Model) (map[string]float64, error) {
	classifier, err := m.NewClassifier(ctx, e.set.Classes(), e.templates...)
	if err != nil {
		return nil, err
	}
	c, err := eval.Classify(ctx, m, classifier, e.set, nil)
	if err != nil {
		return nil, err
	}
	return map[string]float64{"top1": c.Accuracy(), "top5": c.Top5Accuracy()}, nil
}

func (e *exam) recall(ctx context.Context, m *encoder.Model) (map[string]float64, error) {
	ks := []int{1, 5, 10}
	r, err := eval.Retrieve(ctx, m, e.set, ks...)
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
