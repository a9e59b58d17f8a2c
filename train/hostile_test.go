package train_test

import (
	"context"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// TestPanicsOfARun: a schedule that fails at a later step while a run is described, an
// observer and a test are errors that say when.
func TestPanicsOfARun(t *testing.T) {
	src := drawn(t, 120)
	plain := train.Run{Steps: 2, Batches: dataset.BatchOptions{Size: 8, Ledger: &dataset.Ledger{}}}
	for want, change := range map[string]func(*train.Config, *train.Run){
		"train: describing the run: panic: no such step": func(c *train.Config, r *train.Run) {
			r.Checkpoints.Dir = t.TempDir()
			c.LR = func(step int) float64 {
				if step > 100 {
					panic("no such step")
				}
				return 1e-3
			}
		},
		"train: step 0: panic: no log": func(_ *train.Config, r *train.Run) {
			r.Observers = []train.Observer{train.ObserverFunc(func(train.Event) error { panic("no log") })}
		},
		"train: step 1: test: panic: no test": func(_ *train.Config, r *train.Run) {
			r.Test, r.TestEvery = func(context.Context) (map[string]float64, error) { panic("no test") }, 2
		},
	} {
		cfg, run := config(10), plain
		change(&cfg, &run)
		tr, err := train.New(model(t, 1), cfg)
		check(t, err)
		if err := tr.Fit(t.Context(), src, run); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	tr, err := train.New(model(t, 1), config(10))
	check(t, err)
	if err := tr.Fit(t.Context(), nil, plain); err == nil || err.Error() != "train: the source is nil" {
		t.Errorf("got error %v", err)
	}
	if err := (*train.Trainer)(nil).Fit(t.Context(), src, plain); err == nil || err.Error() != "train: the Trainer is nil" {
		t.Errorf("got error %v", err)
	}
}

// strange is an image tower whose features are not what they should be.
type strange struct {
	ownVision
	how string
}

func (s strange) New() (vision.Tower, error) {
	t, err := s.ViT.New()
	return strangeTower{t, s.how}, err
}

type strangeTower struct {
	vision.Tower
	how string
}

func (s strangeTower) Forward(in vision.Input) (*G.Node, error) {
	x, err := s.Tower.Forward(in)
	if err != nil {
		return nil, err
	}
	switch s.how {
	case "other graph":
		return nn.Leaf(G.NewGraph(), "x", make([]float32, x.Shape().TotalSize()), x.Shape()...), nil
	case "other kind":
		return G.ConvType(x, G.Float32, G.Float64)
	case "no gradient":
		return nn.Leaf(x.Graph(), "x", make([]float32, x.Shape().TotalSize()), x.Shape()...), nil
	case "nothing":
		return nil, nil
	}
	return x, nil
}

// TestStrangeTowers and losses: what they return is checked before it is trained with.
func TestStrangeTowers(t *testing.T) {
	step := func(how string, l loss.Loss) error {
		cfg := model(t, 1).Config()
		cfg.Vision = strange{ownVision{cfg.Vision.(vision.ViT), &fuse{}}, how}
		m, err := encoder.New(cfg, letters.Tokenizer{}, 1)
		check(t, err)
		settings := config(10)
		settings.Loss, settings.Unsaved = l, true
		tr, err := train.New(m, settings)
		check(t, err)
		before := weights(m)
		_, err = tr.Step(t.Context(), pairs(t, 0, 8))
		sameBits(t, "the weights", weights(m), before)
		return err
	}
	for how, want := range map[string]string{
		"other graph": "train: image tower: the features belong to another graph than its input",
		"other kind":  "train: image tower: the features are float64, want float32",
		"no gradient": "does not depend on",
		"nothing":     "train: image tower: no features",
	} {
		if err := step(how, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %s", how, err, want)
		}
	}
	for want, f := range map[string]func(loss.Input) (*G.Node, error){
		"train: loss strange: it belongs to another graph": func(loss.Input) (*G.Node, error) { return G.NewScalar(G.NewGraph(), G.Float32, G.WithName("c")), nil },
		"train: loss strange: no node":                     func(loss.Input) (*G.Node, error) { return nil, nil },
		"want a scalar of float32":                         func(in loss.Input) (*G.Node, error) { return in.Image, nil },
		"does not depend on":                               func(in loss.Input) (*G.Node, error) { return G.Sum(in.Text) },
		"not finite": func(in loss.Input) (*G.Node, error) {
			x, err := G.Log(G.Must(G.Sub(in.Image, in.Text)))
			return G.Must(G.Sum(x)), err
		},
	} {
		if err := step("", made{"strange", f}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
