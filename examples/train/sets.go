package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/augment"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/examples/internal/toy"
	"github.com/goclip/goclip/train"
)

const batchSize = 128

// sets is what is trained on and what it is tested on.
type sets struct {
	train     dataset.Source
	tests     []test
	couples   dataset.Source // images of two figures, nil where training shows none
	classes   []string       // nil where images have captions only
	templates []string
	groups    train.Groups
	context   int // length in tokens
	steps     int
	optimizer train.Optimizer
	muonRate  float64
	schedule  func(lr float64, warmup, steps int) train.Schedule
	lr        float64
	smoothing float64 // of labels
	augment   dataset.Augment
	close     []*dataset.Set
}

type test struct {
	name string
	dataset.Source
}

func (s *sets) Close() {
	for _, set := range s.close {
		set.Close()
	}
}

func open(data, testData string, steps int, relations float64, seed uint64) (*sets, error) {
	if steps < 0 {
		return nil, fmt.Errorf("-steps %d, want 0 or more", steps)
	}
	if data != "" && relations != 0 {
		return nil, errors.New("-relations is of the drawn set and does not go with -data")
	}
	if data == "" {
		return drawn(steps, relations, seed)
	}
	return files(data, testData, cmp.Or(steps, 1800))
}

// drawn is the embedded default: images that the library draws, no two alike.
func drawn(steps int, relations float64, seed uint64) (*sets, error) {
	set := shapes.Set{Size: toy.Side, Seed: seed, Relations: relations}
	s := &sets{steps: cmp.Or(steps, 560), optimizer: train.OptimizerMuon, muonRate: 3, schedule: train.Linear, lr: 4e-3, smoothing: 0.05}
	if relations > 0 {
		s = &sets{steps: cmp.Or(steps, 1800), schedule: train.Cosine, lr: 1e-3}
	}
	training, err1 := set.Train(s.steps * batchSize)
	known, err2 := set.Known(1120)
	unseen, err3 := set.Unseen(560)
	s.train, s.tests = training, []test{{"known combinations", known}, {"unseen combinations", unseen}}
	s.classes, s.templates, s.groups, s.context = set.Classes(), set.Templates(), train.GroupByLabel, 24
	var err4 error
	if relations > 0 {
		s.couples, err4 = set.Couples(560)
	}
	return s, errors.Join(err1, err2, err3, err4)
}

// files is a set of the user's.
func files(data, testData string, steps int) (*sets, error) {
	training, err := dataset.Open(data, nil)
	if err != nil {
		return nil, err
	}
	s := &sets{
		train: training, classes: training.Classes(), templates: []string{"a photo of a {}"},
		groups: train.GroupByLabel, context: 32, steps: steps, schedule: train.Cosine, lr: 1e-3, augment: augment.Flip(0.5), close: []*dataset.Set{training},
	}
	if testData != "" {
		set, err := dataset.Open(testData, nil)
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, set)
		s.tests = []test{{"test set", set}}
	}
	return s, nil
}

func terminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
