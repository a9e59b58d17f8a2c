package train_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
)

// TestTestsOnTheWay: a run is measured when it is time and at its end, with the
// averaged weights, and trains as if it were not.
func TestTestsOnTheWay(t *testing.T) {
	src := drawn(t, 120)
	plain, m := trainer(t)
	check(t, plain.Fit(context.Background(), src, plan("", 10)))
	trained, averaged := outcome(t, plain, m)

	tr, m := trainer(t)
	run := plan("", 10)
	run.TestEvery = 4
	var seen []float32
	run.Test = func(context.Context) (map[string]float64, error) {
		seen = weights(m)
		return map[string]float64{"top1": float64(tr.Steps())}, nil
	}
	var told []int
	run.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error {
		if e.Test != nil {
			told = append(told, e.Step)
			if e.Test["top1"] != float64(e.Step+1) {
				t.Errorf("step %d: the event has %v", e.Step, e.Test)
			}
		}
		return nil
	})}
	check(t, tr.Fit(context.Background(), src, run))
	if len(told) != 3 || told[0] != 3 || told[1] != 7 || told[2] != 9 {
		t.Errorf("tested after steps %v, counted from 0, want 3, 7 and 9", told)
	}
	sameBits(t, "weights that the last test saw", seen, averaged)
	sameBits(t, "weights of a run with tests", weights(m), trained)
}

// TestFailedTest: what a test reports ends the run; a context that ends in one
// leaves a checkpoint of the step.
func TestFailedTest(t *testing.T) {
	src := drawn(t, 120)
	tr, _ := trainer(t)
	run := plan("", 10)
	run.Test = func(context.Context) (map[string]float64, error) { return nil, errors.New("no set") }
	if err := tr.Fit(context.Background(), src, run); err == nil || !strings.Contains(err.Error(), "TestEvery 0 beside a Test") {
		t.Errorf("got error %v, want that TestEvery is missing", err)
	}
	run.TestEvery = 2
	if err := tr.Fit(context.Background(), src, run); err == nil || !strings.Contains(err.Error(), "step 1: test: no set") {
		t.Errorf("got error %v, want that of the test", err)
	}

	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	run = plan(dir, 10)
	run.TestEvery = 2
	run.Test = func(ctx context.Context) (map[string]float64, error) { cancel(); return nil, ctx.Err() }
	tr, _ = trainer(t)
	if err := tr.Fit(ctx, src, run); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	if _, err := os.Stat(checkpoint(dir, 2)); err != nil {
		t.Errorf("no checkpoint of the two steps: %v, but %v", err, names(t, dir))
	}
}
