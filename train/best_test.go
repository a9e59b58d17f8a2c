package train_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
)

// TestBest: the weights of the best test are kept, the patience ends the run, and one that
// was interrupted and goes on keeps the same.
func TestBest(t *testing.T) {
	src := drawn(t, 120)
	grades := map[int]float64{2: 0.3, 4: 0.7, 6: 0.6, 8: 0.7, 10: 0.9}
	fit := func(dir string, failAt int) (*train.Trainer, []float32, []float32, []string, error) {
		tr, m := trainer(t)
		run := plan(dir, 20)
		run.TestEvery, run.Best = 2, train.Best{Of: "top1", Patience: 2}
		var seen, best []float32
		run.Test = func(context.Context) (map[string]float64, error) {
			if tr.Steps() == 4 {
				seen = weights(m)
			}
			return map[string]float64{"top1": grades[tr.Steps()]}, nil
		}
		var said []string
		failed := errors.New("failed")
		run.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error {
			said = append(said, e.Warnings...)
			if e.Step == failAt {
				return failed
			}
			return nil
		})}
		err := tr.Fit(t.Context(), src, run)
		if err == nil {
			trained := weights(m)
			check(t, run.Checkpoints.Best(tr, func() error {
				best = weights(m)
				return nil
			}))
			sameBits(t, "weights after Best", weights(m), trained)
		}
		return tr, seen, best, said, err
	}
	tr, seen, best, said, err := fit(t.TempDir(), -1)
	check(t, err)
	if tr.Steps() != 8 || !strings.Contains(strings.Join(said, "\n"), "stopped early: top1 has not been better than 70.0 %, of step 4, in 2 tests") {
		t.Errorf("stopped after step %d and said %q, want 8, for two tests after step 4 were not better", tr.Steps(), said)
	}
	sameBits(t, "the best weights", best, seen)

	dir := t.TempDir()
	if _, _, _, _, err := fit(dir, 4); err == nil { // after the best, whose checkpoint is of step 3
		t.Fatal("the run was not interrupted")
	}
	tr, _, again, _, err := fit(dir, -1)
	check(t, err)
	sameBits(t, "the best weights of a run in two parts", again, best)
	if tr.Steps() != 8 {
		t.Errorf("in two parts stopped after %d steps, want 8", tr.Steps())
	}
	tr, _, _, _, err = fit(dir, -1)
	check(t, err)
	if tr.Steps() != 8 {
		t.Errorf("a run that has stopped went on to step %d", tr.Steps())
	}
}

func TestBestRefuses(t *testing.T) {
	test := func(context.Context) (map[string]float64, error) { return map[string]float64{"top5": 1}, nil }
	for want, change := range map[string]func(*train.Run){
		"want the name of a measure":     func(r *train.Run) { r.Best = train.Best{Patience: 1} },
		"Best needs a Test":              func(r *train.Run) { r.Test = nil },
		"Best needs Checkpoints":         func(r *train.Run) { r.Checkpoints.Dir = "" },
		`step 1: test: it has no "top1"`: func(*train.Run) {},
	} {
		tr, _ := trainer(t)
		run := plan(t.TempDir(), 4)
		run.Test, run.TestEvery, run.Best = test, 2, train.Best{Of: "top1"}
		change(&run)
		if err := tr.Fit(t.Context(), drawn(t, 120), run); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
	tr, _ := trainer(t)
	if err := (train.Checkpoints{Dir: t.TempDir()}).Best(tr, func() error { return nil }); err == nil {
		t.Error("the best of a folder without one: no error")
	}
}

// TestLonger: a finished run goes on for more steps where that is asked for, and not by
// accident.
func TestLonger(t *testing.T) {
	src, dir := drawn(t, 120), t.TempDir()
	fit := func(steps int, longer bool) (*train.Trainer, error) {
		cfg := config(steps)
		tr, err := train.New(model(t, 1), cfg)
		check(t, err)
		run := plan(dir, steps)
		run.Checkpoints.Longer = longer
		return tr, tr.Fit(t.Context(), src, run)
	}
	_, err := fit(6, false)
	check(t, err)
	if _, err := fit(12, false); !errors.Is(err, train.ErrSchedule) {
		t.Errorf("got error %v, want ErrSchedule", err)
	}
	tr, err := fit(12, true)
	check(t, err)
	if tr.Steps() != 12 {
		t.Errorf("went on to step %d, want 12", tr.Steps())
	}
	tr, err = fit(12, false) // it is now a run of 12 steps
	check(t, err)
	if tr.Steps() != 12 {
		t.Errorf("resumed at step %d, want 12", tr.Steps())
	}
}
