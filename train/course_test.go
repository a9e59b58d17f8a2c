package train_test

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
)

// TestEnd: what is said of a run that is over, and of one that went well nothing.
func TestEnd(t *testing.T) {
	const steps = 1000
	falling := func(step int) float64 { return 4 - 2.2*float64(step)/steps }
	settled := func(step int) float64 { return 0.2 + 4*math.Exp(-float64(step)/50) }
	for name, c := range map[string]struct {
		loss func(step int) float64
		test func(step int) float64 // every 100 steps
		s    train.Stats
		want string // nothing where it is empty
	}{
		"well":        {loss: settled},
		"too short":   {loss: falling, want: "the training may be too short: the loss was still falling at its end, from 2.100 to 1.959 over its last fifth, where chance is 4.159"},
		"over-fitted": {loss: settled, test: func(step int) float64 { return 0.8 - math.Abs(float64(step)-399)/2000 }, want: "over-fitted: top1 was 80.0 % after step 399 and is 50.0 % after step 999, while the loss fell"},
		"rises":       {loss: settled, test: func(step int) float64 { return 0.5 + float64(step)/3000 }},
		"noise":       {loss: settled, test: func(step int) float64 { return 0.8 + 0.01*math.Sin(float64(step)) }},
	} {
		var d train.Diagnosis
		for step := range steps {
			s := c.s
			s.Step, s.Loss, s.Chance, s.LR, s.GradNorm, s.Pairs, s.Answers = step, c.loss(step), math.Log(64), 1e-3, 1, 64, 64
			if said := d.Look(s); said != nil {
				t.Errorf("%s: step %d: %q", name, step, said)
			}
			if c.test != nil && step%100 == 99 {
				d.Tested(step, map[string]float64{"top1": c.test(step)})
			}
		}
		said := d.End()
		if (c.want == "") != (len(said) == 0) || len(said) > 1 || c.want != "" && !strings.Contains(said[0], c.want) {
			t.Errorf("%s: said %q, want %q", name, said, c.want)
		}
	}
	if said := new(train.Diagnosis).End(); said != nil {
		t.Errorf("of no steps: %q", said)
	}
}

// TestEndOfShortRun: a run that is shorter than any window still says at its end that
// it came to nothing.
func TestEndOfShortRun(t *testing.T) {
	src, run := drawn(t, 120), plan("", 12)
	var said []string
	run.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error {
		said = append(said, e.Warnings...)
		return nil
	})}
	cfg := config(12)
	cfg.LR = train.Constant(30, 0)
	tr, err := train.New(model(t, 1), cfg)
	check(t, err)
	check(t, tr.Fit(t.Context(), src, run))
	if all := strings.Join(said, "\n"); !strings.Contains(all, "embeddings have collapsed") || !strings.Contains(all, "the loss is at chance") {
		t.Errorf("a run at rate 30 said %q", said)
	}
}

// TestPoisonedWeightsAreNotSaved: the step after which weights are not finite ends the run,
// and neither a checkpoint nor the folder of one is written.
func TestPoisonedWeightsAreNotSaved(t *testing.T) {
	m := model(t, 1)
	tr, err := train.New(m, train.Config{LR: func(step int) float64 {
		if step == 4 {
			return 3e38
		}
		return 1e-3
	}, WeightDecay: 10})
	check(t, err)
	dir := t.TempDir()
	run := plan(dir, 5)
	run.Checkpoints.Every = 2
	err = tr.Fit(t.Context(), drawn(t, 120), run)
	if err == nil || !strings.Contains(err.Error(), "train: after step 4, of learning rate 3e+38,") || !strings.Contains(err.Error(), "holds numbers that are not finite: nothing was saved") {
		t.Fatalf("got error %v", err)
	}
	if _, err := os.Stat(dir + "/step-00000005.safetensors"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the checkpoint of step 5: %v", err)
	}
	if _, err := os.Stat(dir + "/step-00000004.safetensors"); err != nil {
		t.Errorf("the checkpoint of step 4: %v", err)
	}
	if err := run.Checkpoints.Save(tr, run.Batches.Start); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("saved by hand: got error %v", err)
	}
}
