package train_test

import (
	"context"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/train"
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
