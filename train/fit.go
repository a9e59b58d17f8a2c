package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/guard"
)

// Run says how [Trainer.Fit] trains on a set.
type Run struct {
	// Steps is the number of steps of the whole run, including those before it
	// was resumed. Zero means until Batches.Epochs are over.
	Steps int
	// Batches says how to iterate over the set. Its Start is overwritten where
	// there is a checkpoint to resume from, its Upright by what the model's
	// preprocessing says, and its Share by [Trainer.Share].
	Batches dataset.BatchOptions
	// Checkpoints, where Dir is set, are written and resumed from.
	Checkpoints Checkpoints
	// Test, where not nil, measures the model after every TestEvery steps and, where
	// Steps tells which that is, after the last, with the averaged weights where there
	// are any. What it returns, by names such as "top1", is in the [Event] of the step.
	Test      func(ctx context.Context) (map[string]float64, error)
	TestEvery int
	// Best, where its Of is set, keeps the best model of those that Test measures, and may
	// end the run early.
	Best Best
	// Observers are called after every step, in this order.
	Observers []Observer
	// Warnings are told with the first event.
	Warnings []string
}

// Fit trains on a set until run.Steps or its epochs are over. It is the loop
//
//	for batch, err := range dataset.Batches(ctx, src, run.Batches) { … t.Step(ctx, batch.Pairs) … }
//
// with what a long run needs: it resumes from the newest undamaged checkpoint of
// run.Checkpoints, if there is one, calls the observers after each step, with the warnings
// of a [Diagnosis], and writes further checkpoints. Weights that are not finite end the run
// and are never written. A checkpoint of a run with another
// model, configuration, tokenizer, seed, batch size or set is an error that lists the
// differences.
//
// When ctx ends, Fit writes a checkpoint after the current step and returns an error that
// wraps ctx's. After any other error the last checkpoint stands.
//
// On several ranks, [Config].Ranks, all call it with the same set and run. The first one
// alone reads and writes the checkpoints and tells the observers; all measure the model.
//
// While it runs, run.Checkpoints.Dir is locked: training there from another process is an
// error that names the folder and the process. The lock of a killed process ends with it.
func (t *Trainer) Fit(ctx context.Context, src dataset.Source, run Run) (err error) {
	if err := t.open(); err != nil {
		return err
	}
	if src == nil {
		return errors.New("train: the source is nil")
	}
	if run.Steps < 0 || run.Steps == 0 && run.Batches.Epochs == 0 {
		return fmt.Errorf("train: Steps %d and Batches.Epochs %d, want one of them to be positive", run.Steps, run.Batches.Epochs)
	}
	if run.Test != nil && run.TestEvery < 1 {
		return fmt.Errorf("train: TestEvery %d beside a Test, want 1 or more", run.TestEvery)
	}
	if err := run.Best.check(run); err != nil {
		return err
	}
	run.Batches.Upright, run.Batches.Share = t.model.Config().Preprocess.Upright, t.Share()
	f := fit{t: t, run: run, warnings: slices.Clone(run.Warnings)}
	if run.Checkpoints.Dir != "" {
		if t.world.rank() == 0 {
			release, err := run.Checkpoints.lock()
			if err != nil {
				return t.agree(ctx, err)
			}
			defer func() { err = errors.Join(err, release()) }()
		}
		if err := f.resume(ctx, src); err != nil {
			return t.agree(ctx, err)
		}
	}
	if run.Steps > 0 && t.step >= run.Steps || run.Best.over(f.best) {
		return nil
	}
	return f.loop(ctx, src)
}

// fit is a run under way.
type fit struct {
	t         *Trainer
	run       Run
	id        identity
	diagnosis Diagnosis
	next      dataset.Cursor // after the last step
	saved     int            // the step of the newest checkpoint
	best      bestSoFar
	warnings  []string // for the next event
}

func (f *fit) resume(ctx context.Context, src dataset.Source) (err error) {
	if f.run.Checkpoints, err = f.run.Checkpoints.ready(); err != nil {
		return err
	}
	if f.id, err = identify(f.t); err != nil {
		return err
	}
	if err := f.id.addData(ctx, src, f.run.Batches); err != nil {
		return err
	}
	var r Resumed
	var s state
	if f.t.world.rank() == 0 {
		r, s, err = f.run.Checkpoints.resume(f.t, f.id)
	}
	if err = f.t.agree(ctx, err); err == nil {
		err = f.t.resumed(ctx, &r, &s, f.id)
	}
	if err != nil || r.Path == "" {
		return err
	}
	f.run.Batches.Start, f.saved = s.Next, s.Step
	if s.Best != nil {
		f.best = *s.Best
	}
	if s.Past.sound() {
		f.diagnosis.past = *s.Past
	}
	if f.run.Batches.Ledger != nil {
		f.run.Batches.Ledger.Restore(s.Ledger)
	}
	for _, damage := range r.Damaged {
		f.warnings = append(f.warnings, fmt.Sprintf("resuming from %s: %v", r.Path, damage))
	}
	return nil
}

func (f *fit) loop(ctx context.Context, src dataset.Source) error {
	f.next = f.run.Batches.Start
	for batch, err := range dataset.Batches(ctx, src, f.run.Batches) {
		if err == nil {
			err = f.step(ctx, batch)
		}
		err = f.t.agree(ctx, err)
		if stopped(ctx, err) {
			return errors.Join(err, f.save(ctx))
		}
		if err != nil {
			return err
		}
		if f.run.Checkpoints.due(f.t.step) {
			if err := f.save(ctx); err != nil {
				return err
			}
		}
		if f.t.step == f.run.Steps || f.run.Best.over(f.best) {
			break
		}
	}
	return f.save(ctx)
}

// step takes a step and tells of it.
func (f *fit) step(ctx context.Context, batch dataset.Batch) error {
	stats, err := f.t.Step(ctx, batch.Pairs)
	if err != nil {
		return err
	}
	f.next = batch.Next
	event := Event{Stats: stats, Epoch: batch.Epoch, Warnings: append(f.warnings, f.diagnosis.Look(stats)...)}
	f.warnings = nil
	last := f.t.step == f.run.Steps
	if f.run.Batches.Ledger != nil {
		event.Bad = f.run.Batches.Ledger.Len()
	}
	testErr := f.test(ctx, &event)
	f.diagnosis.Tested(event.Step, event.Test)
	if early := f.run.Best.over(f.best); last || early {
		if early && !last {
			event.Warnings = append(event.Warnings, f.run.Best.stopped(f.best))
		}
		event.Warnings = append(event.Warnings, f.diagnosis.End()...)
	}
	for _, o := range f.observers() {
		if err := guard.Call(func() error { return o.Observe(event) }); err != nil {
			return fmt.Errorf("train: step %d: %w", stats.Step, err)
		}
	}
	return testErr
}

// observers are told on the first rank alone.
func (f *fit) observers() []Observer {
	if f.t.world.rank() > 0 {
		return nil
	}
	return f.run.Observers
}

// test measures the model when it is time.
func (f *fit) test(ctx context.Context, event *Event) error {
	last := f.t.step == f.run.Steps
	if f.run.Test == nil || !last && f.t.step%f.run.TestEvery != 0 {
		return nil
	}
	err := f.t.Averaged(func() error {
		return guard.Call(func() (err error) {
			event.Test, err = f.run.Test(ctx)
			return err
		})
	})
	if err == nil {
		err = f.keepBest(event)
	}
	if err != nil {
		return fmt.Errorf("train: step %d: test: %w", event.Step, err)
	}
	return nil
}

// save writes a checkpoint unless there is one of this step.
func (f *fit) save(ctx context.Context) error {
	if err := f.t.weights.finite(); err != nil {
		return fmt.Errorf("train: after step %d, of learning rate %.3g, %w: nothing was saved; a smaller rate or Config.ClipNorm may hold them",
			f.t.step-1, f.t.solver.LR, err)
	}
	if f.run.Checkpoints.Dir == "" || f.t.step == f.saved {
		return nil
	}
	s := state{Next: f.next, Identity: f.id, Past: &f.diagnosis.past}
	if f.best.Tests > 0 {
		s.Best = &f.best
	}
	if f.run.Batches.Ledger != nil {
		s.Ledger = f.run.Batches.Ledger.Bad()
	}
	if err := f.run.Checkpoints.save(ctx, f.t, s); err != nil {
		return err
	}
	f.saved = f.t.step
	return nil
}
