// Package job is a training from beginning to end, as goclip train does it: a model, a
// set and a folder, in which a log, checkpoints to go on from and at last the model
// are written.
package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

// Job is what is trained on what.
type Job struct {
	// Out is the folder for the model, with events.jsonl, every step's loss;
	// left-out.jsonl, samples that cannot be used; and checkpoints, a folder. Required.
	Out string
	// Model is trained in place. [Fresh] makes a new one of a set's captions. Required.
	Model *encoder.Model
	// Base is where a Model with adapters was loaded from. Its adapters are saved as
	// lora.safetensors, and merged into a copy of the model at Base. Required beside
	// adapters, else not read.
	Base string
	// Set is gone through as Batches says, whose Start is overwritten. Required.
	Set     dataset.Source
	Batches dataset.BatchOptions

	Config train.Config
	Steps  int // of the whole training; required
	// Exam, where it has a set, measures the model as it learns.
	Exam Exam

	// CheckpointEvery is the number of steps between checkpoints, zero means 1000; Keep
	// that of those that stay, zero means 3.
	CheckpointEvery, Keep int
	TensorBoard           string // folder for its events; empty for none
	// Observers are told of every step, besides the log.
	Observers []train.Observer
}

// Training is a job that is ready to run.
type Training struct {
	job     Job
	trainer *train.Trainer
}

// Result is what a training has come to.
type Result struct {
	Steps   int
	Last    train.Event // of this process; empty where all was done before
	LeftOut int         // samples that could not be used
}

// New checks a job and prepares its trainer. Nothing is written yet.
func New(j Job) (*Training, error) {
	_, adapted := j.Model.LoRA()
	switch {
	case j.Out == "":
		return nil, errors.New("job: Out is missing")
	case j.Set == nil:
		return nil, errors.New("job: Set is missing")
	case j.Steps < 1:
		return nil, fmt.Errorf("job: Steps is %d, want 1 or more", j.Steps)
	case adapted && j.Base == "":
		return nil, errors.New("job: Base is missing, which a model with adapters is merged into")
	}
	if j.Batches.Ledger == nil {
		j.Batches.Ledger = &dataset.Ledger{}
	}
	t, err := train.New(j.Model, j.Config)
	if err != nil {
		return nil, err
	}
	return &Training{j, t}, nil
}

// Steps returns the number of steps done.
func (t *Training) Steps() int { return t.trainer.Steps() }

// Run trains, or goes on where an earlier process was stopped, and saves the model, with
// the averaged weights where there are any. When ctx ends it writes a checkpoint and
// returns an error that wraps ctx's; the same job goes on from there to the same
// weights.
func (t *Training) Run(ctx context.Context) (r Result, err error) {
	if err := os.MkdirAll(t.job.Out, 0o777); err != nil {
		return r, fmt.Errorf("job: %w", err)
	}
	observers, done, err := t.observers(&r)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, done()) }()
	j := &t.job
	fitErr := t.trainer.Fit(ctx, j.Set, train.Run{
		Steps: j.Steps, Batches: j.Batches, Observers: observers,
		Test: j.Exam.of(j.Model), TestEvery: j.Exam.every(j.Set.Len(), j.Batches.Size, j.Steps),
		Checkpoints: train.Checkpoints{Dir: filepath.Join(j.Out, "checkpoints"), Every: j.CheckpointEvery, Keep: j.Keep},
	})
	r.Steps, r.LeftOut = t.trainer.Steps(), j.Batches.Ledger.Len()
	if err := journal.WriteFile(filepath.Join(j.Out, "left-out.jsonl"), j.Batches.Ledger.WriteJSONLines); err != nil {
		return r, errors.Join(fitErr, fmt.Errorf("job: %w", err))
	}
	if fitErr != nil {
		return r, fitErr
	}
	return r, t.trainer.Averaged(t.save)
}

// observers opens the logs, which done closes.
func (t *Training) observers(r *Result) (all []train.Observer, done func() error, err error) {
	log, err := observe.OpenJSONLines(filepath.Join(t.job.Out, "events.jsonl"))
	if err != nil {
		return nil, nil, err
	}
	done = log.Close
	all = append(all, t.job.Observers...)
	all = append(all, log, train.ObserverFunc(func(e train.Event) error { r.Last = e; return nil }))
	if t.job.TensorBoard != "" {
		board, err := observe.OpenTensorBoard(t.job.TensorBoard)
		if err != nil {
			return nil, nil, errors.Join(err, log.Close())
		}
		all = append(all, board)
		done = func() error { return errors.Join(log.Close(), board.Close()) }
	}
	return all, done, nil
}

// save writes the model. One with adapters is merged from its parts.
func (t *Training) save() (err error) {
	m, out := t.job.Model, t.job.Out
	if _, adapted := m.LoRA(); !adapted {
		return m.Save(out)
	}
	path := filepath.Join(out, "lora.safetensors")
	if err := m.SaveLoRA(path); err != nil {
		return err
	}
	merged, err := encoder.Load(t.job.Base, &encoder.Options{Trainable: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, merged.Close()) }()
	if err := merged.LoadLoRA(path); err != nil {
		return err
	}
	if err := merged.MergeLoRA(); err != nil {
		return err
	}
	return merged.Save(out)
}

// Steps is the number of steps of so many epochs over a set of so many samples, the
// rest of an epoch that fills no batch being left out.
func Steps(epochs, samples, batch int) int { return epochs * (samples / max(batch, 1)) }

// Warmup is how long the rate of a training of so many steps rises where nothing else
// is said: a twentieth.
func Warmup(steps int) int { return steps / 20 }
