package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/augment"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
)

// sets is what is trained on and what measures the models.
type sets struct {
	name      string                                // tells records of different sets apart
	title     string                                // for people
	pool      func(n int) (*dataset.Indexed, error) // n different training samples
	available int                                   // at most
	held      dataset.Source                        // pairs for the loss
	test      dataset.Source                        // images with labels for the zero-shot error
	groups    train.Groups                          // which pairs of a batch are right answers for each other
	classes   []string
	templates []string
	context   int // length in tokens
	lr        float64
	augment   dataset.Augment
	close     []*dataset.Set
}

func (s *sets) Close() {
	for _, set := range s.close {
		set.Close()
	}
}

// drawn is the embedded set: no two of its images are alike.
func drawn(seed uint64) (*sets, error) {
	set := shapes.Set{Size: side, Seed: seed, Relations: 0.5}
	others := set
	others.Seed = ^seed
	held, err1 := others.Train(1024)
	test, err2 := set.Known(1120)
	return &sets{
		name: fmt.Sprintf("drawn, seed %d", seed), title: "images that the library draws", pool: set.Train, available: 1 << 30, held: held, test: test, groups: train.GroupByCaption,
		classes: set.Classes(), templates: set.Templates(), context: 24, lr: 2e-3,
	}, errors.Join(err1, err2)
}

// files are sets of the user's, with labels.
func files(data, test string, seed uint64) (*sets, error) {
	training, err := dataset.Open(data, nil)
	if err != nil {
		return nil, err
	}
	s := &sets{
		name: data + ", tested on " + test, title: filepath.Base(data), classes: training.Classes(), templates: []string{"a photo of a {}"},
		groups: train.GroupByLabel, context: 32, lr: 1e-3, augment: augment.Flip(0.5), close: []*dataset.Set{training},
	}
	held, err := dataset.Open(test, nil)
	if err != nil {
		return s, err
	}
	s.held, s.test, s.close = held, held, append(s.close, held)
	all, ok := training.Indexed()
	switch {
	case !ok:
		return s, fmt.Errorf("%s is a stream, want a set whose samples can be chosen by number", data)
	case len(s.classes) == 0:
		return s, fmt.Errorf("%s has no labels, which zero-shot error needs", data)
	case all.Len() < batchSize:
		return s, fmt.Errorf("%s has %d samples, want %d or more", data, all.Len(), batchSize)
	}
	s.available = all.Len()
	order := rand.New(rand.NewPCG(seed, 0)).Perm(all.Len())
	s.pool = func(n int) (*dataset.Indexed, error) {
		return dataset.NewIndexed(n, func(i int) dataset.Sample { return all.At(order[i]) }), nil
	}
	return s, nil
}

// tokenizer trains a byte-level BPE on captions of the set.
func (s *sets) tokenizer(ctx context.Context) (*tokenizer.BPE, error) {
	src, err := s.pool(min(s.available, 5000))
	if err != nil {
		return nil, err
	}
	captions, err := dataset.Captions(ctx, src, 0)
	if err != nil {
		return nil, err
	}
	return tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: 1000})
}
