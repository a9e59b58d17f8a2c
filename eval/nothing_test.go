package eval

import (
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/nothing"
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
		"eval: retrieve: the Features are empty, want those of Embed":         func() error { _, err := new(Features).Retrieve(ctx, m, 1); return err },
		"eval: classify: the Features have 1 keys, 0 labels and captions of 0 for 0 images": func() error {
			_, err := (&Probe{}).Classify(&Features{Images: &encoder.Embeddings{Dim: 1}, Keys: []string{"a"}})
			return err
		},
		"eval: retrieve: none of 0 images has a caption": func() error {
			_, err := (&Features{Images: &encoder.Embeddings{Dim: m.Config().EmbedDim()}}).Retrieve(ctx, m, 1)
			return err
		},
		"eval: classify: a Classifier of embeddings of 0 numbers cannot take 7": func() error {
			_, err := (&Features{Images: &encoder.Embeddings{Dim: 7}}).Classify(&encoder.Classifier{})
			return err
		},
		"eval: retrieve: Model is nil": func() error { _, err := new(Features).Retrieve(ctx, nil, 1); return err },
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

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		ReadTemplates, ReadLabels, LabelNames, Watch, NewCalibration, Classify, Embed, FitProbe, Retrieve,
		(*Calibration)(nil), &Calibration{}, (*Classification)(nil), &Classification{},
		(*Features)(nil), &Features{}, (*Probe)(nil), &Probe{}, (*Retrieval)(nil), &Retrieval{}, Convention(9),
	) {
		t.Error(panicked)
	}
}
