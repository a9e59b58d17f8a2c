package eval

import (
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
)

// TestNothing: what is missing or empty is an error that names it, and no panic.
func TestNothing(t *testing.T) {
	ctx, m, none := t.Context(), model(t), &dataset.Set{}
	for want, do := range map[string]func() error{
		"eval: embed: the model is nil":                                       func() error { _, err := Embed(ctx, nil, none, nil); return err },
		"eval: embed: the source is nil":                                      func() error { _, err := Embed(ctx, m, nil, nil); return err },
		"eval: embed: the model has no image tower":                           func() error { _, err := Embed(ctx, &encoder.Model{}, none, nil); return err },
		"eval: classify: Classifier is nil":                                   func() error { _, err := Classify(ctx, m, nil, none, nil); return err },
		"eval: probe: train is nil":                                           func() error { _, err := FitProbe(ctx, nil, nil, nil); return err },
		"eval: k-NN: train is nil":                                            func() error { _, err := new(Features).KNN(ctx, nil, nil); return err },
		"eval: probe: it is empty, want one of FitProbe":                      func() error { _, err := new(Probe).Probabilities(&encoder.Embeddings{}); return err },
		"eval: classification: it is empty, want the result of a measurement": func() error { _, err := new(Classification).MarshalJSON(); return err },
		"eval: retrieve: k is 0, want 1 or more":                              func() error { _, err := Retrieve(ctx, m, none, 1, 0); return err },
		"eval: retrieve: Model is nil":                                        func() error { _, err := new(Features).Retrieve(ctx, nil, 1); return err },
	} {
		fails(t, want, do)
	}
	if accuracy, n := new(Classification).Class(0); accuracy != 0 || n != 0 {
		t.Errorf("a class of an empty Classification: got accuracy %g of %d images, want 0 of 0", accuracy, n)
	}
	var c Calibration
	if c.Add(0.5, true); c.ECE() != 0.5 {
		t.Errorf("a Calibration without bins: got an ECE of %g, want 0.5", c.ECE())
	}
}
