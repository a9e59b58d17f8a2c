package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/scaling"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
)

// study trains the runs of a plan.
type study struct {
	sets     *sets
	tok      *tokenizer.BPE
	seed     uint64
	out      string // folder
	records  *scaling.Log
	parallel int
	progress *progress
}

// trainAll trains the runs of a list that have no record yet.
func (s *study) trainAll(ctx context.Context, list func(*study) ([]scaling.Run, error), what string) ([]scaling.Record, error) {
	runs, err := list(s)
	if err != nil {
		return nil, err
	}
	todo, left := 0, 0.0
	for _, r := range runs {
		if _, done := s.records.Find(r); !done {
			cost, err := s.cost(size{r.Width, r.Layers})
			if err != nil {
				return nil, err
			}
			todo, left = todo+1, left+cost*float64(r.Samples())
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %d runs, %d of them to train, %.3g FLOPs\n", what, len(runs), todo, left)
	s.progress.begin(left)
	return scaling.RunAll(ctx, s.records, runs, s.parallel, s.train)
}

// train makes a run into a record. A run that is interrupted goes on from its
// checkpoint the next time.
func (s *study) train(ctx context.Context, r scaling.Run) (scaling.Record, error) {
	cfg := s.config(size{r.Width, r.Layers})
	cost, err := scaling.TrainingFLOPs(cfg)
	if err != nil {
		return scaling.Record{}, err
	}
	model, err := encoder.New(cfg, s.tok, r.Seed)
	if err != nil {
		return scaling.Record{}, err
	}
	trainer, err := train.New(model, train.Config{
		LR: train.Cosine(r.LR, r.Steps/20, r.Steps), WeightDecay: 0.1, ClipNorm: 1, Groups: s.sets.groups,
	})
	if err != nil {
		return scaling.Record{}, err
	}
	src, err := s.sets.pool(r.Unique)
	if err != nil {
		return scaling.Record{}, err
	}
	start, steps := time.Now(), 0
	checkpoints := filepath.Join(s.out, "unfinished", fmt.Sprintf("%d-%d-%d-%d", r.Width, r.Layers, r.Steps, r.Unique))
	err = trainer.Fit(ctx, src, train.Run{
		Steps:       r.Steps,
		Batches:     dataset.BatchOptions{Size: r.Batch, Shuffle: true, Seed: r.Seed, Augment: s.sets.augment, Ledger: &dataset.Ledger{}},
		Checkpoints: train.Checkpoints{Dir: checkpoints, Every: r.Steps + 1},
		Observers: []train.Observer{train.ObserverFunc(func(e train.Event) error {
			steps++
			s.progress.add(cost * float64(e.Pairs))
			return nil
		})},
	})
	if err != nil {
		return scaling.Record{}, err
	}
	record := scaling.Record{
		Params: scaling.Params(model), FLOPs: cost * float64(r.Samples()),
		// The steps before an interruption are taken to have been as fast as those after it.
		Seconds: time.Since(start).Seconds() * float64(r.Steps) / float64(max(steps, 1)),
	}
	if record.Loss, record.Error, err = measure(ctx, model, s.sets); err != nil {
		return record, err
	}
	s.progress.done(r, record)
	return record, os.RemoveAll(checkpoints)
}
