package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/augment"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/toy"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

// Sizes: of a training batch, and the numbers of images of a class that are kept out of training, for examples to be drawn
// from, and of the drawn set's test.
const (
	batchSize     = 128
	poolSize      = 100
	drawnPoolSize = 24
	drawnTestSize = 20
)

// sets is one experiment's data.
type sets struct {
	classes    []string
	held       []string // classes of which training shows no image and no name
	templates  []string
	train      dataset.Source // without the held classes
	pool, test dataset.Source // of all classes; training sees neither
	context    int
	lr         float64
	augment    dataset.Augment
	close      []*dataset.Set
}

func open(o options) (*sets, error) {
	switch {
	case o.steps < 1:
		return nil, fmt.Errorf("-steps %d, want 1 or more", o.steps)
	case o.data == "" && (o.test != "" || o.held != ""):
		return nil, errors.New("-test and -held go with -data")
	case o.data == "":
		return drawn(o.steps, o.seed)
	case o.test == "":
		return nil, errors.New("-data without -test: nothing to test on")
	case o.model != "":
		return files(o.data, o.test, "none")
	}
	return files(o.data, o.test, o.held)
}

func (s *sets) Close() {
	for _, set := range s.close {
		set.Close()
	}
}

// drawn is the default: all combinations of colours and shapes, without those of
// two shapes, whose names the model never reads.
func drawn(steps int, seed uint64) (*sets, error) {
	set, fresh := shapes.Set{Size: toy.Side, Seed: seed}, shapes.Set{Size: toy.Side, Seed: seed + 1}
	s := &sets{classes: set.Classes(), templates: set.Templates(), context: 24, lr: 2e-3}
	for _, c := range s.classes {
		if strings.HasSuffix(c, "star") || strings.HasSuffix(c, "heart") {
			s.held = append(s.held, c)
		}
	}
	all, err := set.Train(2 * steps * batchSize)
	if err != nil {
		return nil, err
	}
	known, err1 := fresh.Known(56 * (drawnPoolSize + drawnTestSize))
	unseen, err2 := fresh.Unseen(8 * (drawnPoolSize + drawnTestSize))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	both := dataset.NewIndexed(known.Len()+unseen.Len(), func(i int) dataset.Sample {
		if i < known.Len() {
			return known.At(i)
		}
		return unseen.At(i - known.Len())
	})
	if s.train, err = subset(all, func(l string, _ int) bool { return !slices.Contains(s.held, l) }); err != nil {
		return nil, err
	}
	if s.pool, err = subset(both, func(_ string, n int) bool { return n < drawnPoolSize }); err != nil {
		return nil, err
	}
	s.test, err = subset(both, func(_ string, n int) bool { return n >= drawnPoolSize })
	return s, err
}

// files is a labelled set of the user's. Where held is "", every second class is.
func files(data, test, held string) (_ *sets, err error) {
	s := &sets{templates: []string{"a photo of a {}"}, context: 32, lr: 1e-3, augment: augment.Chain(augment.Flip(0.5), augment.PadAndCrop(4))}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	var open [2]*dataset.Set
	for i, name := range []string{data, test} {
		if open[i], err = dataset.Open(name, nil); err != nil {
			return nil, err
		}
		s.close = append(s.close, open[i])
	}
	s.classes = open[0].Classes()
	switch held {
	case "":
		for i := 1; i < len(s.classes); i += 2 {
			s.held = append(s.held, s.classes[i])
		}
	case "none":
	default:
		s.held = strings.Split(held, ",")
	}
	for _, h := range s.held {
		if !slices.Contains(s.classes, h) {
			return nil, fmt.Errorf("-held %s: the classes of %s are %s", h, data, strings.Join(s.classes, ", "))
		}
	}
	if s.pool, err = subset(open[0], func(_ string, n int) bool { return n < poolSize }); err != nil {
		return nil, err
	}
	s.test = open[1]
	s.train, err = subset(open[0], func(l string, n int) bool { return n >= poolSize && !slices.Contains(s.held, l) })
	return s, err
}

// subset is the samples that keep wants, by the class and the number of the
// sample within its class.
func subset(src dataset.Source, keep func(label string, n int) bool) (*dataset.Indexed, error) {
	var kept []dataset.Sample
	seen := make(map[string]int)
	for sample, err := range src.Samples(context.Background(), dataset.Order{}) {
		if err != nil {
			return nil, err
		}
		if keep(sample.Label, seen[sample.Label]) {
			kept = append(kept, sample)
		}
		seen[sample.Label]++
	}
	return dataset.NewIndexed(len(kept), func(i int) dataset.Sample { return kept[i] }), nil
}

// model trains a toy on the set, or loads the checkpoint that was given.
func (s *sets) model(ctx context.Context, o options) (*encoder.Model, error) {
	if o.model != "" {
		return encoder.Load(o.model, nil)
	}
	if s.train.Len() == 0 {
		return nil, fmt.Errorf("no images to train on are left: the first %d of each class are for examples", poolSize)
	}
	tok, err := toy.Tokenizer(ctx, s.train)
	if err != nil {
		return nil, err
	}
	model, err := toy.New(tok, s.context, o.seed)
	if err != nil {
		return nil, err
	}
	trainer, err := train.New(model, train.Config{
		LR: train.Cosine(s.lr, o.steps/20, o.steps), WeightDecay: 0.1, ClipNorm: 1, Groups: train.GroupByLabel,
	})
	if err != nil {
		return nil, err
	}
	return model, trainer.Fit(ctx, s.train, train.Run{
		Steps:     o.steps,
		Batches:   dataset.BatchOptions{Size: batchSize, Shuffle: true, Seed: o.seed, Augment: s.augment},
		Observers: []train.Observer{observe.NewProgress(os.Stderr, o.steps, false)},
	})
}
