package main

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"iter"
	"os"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

const (
	batchSize = 128
	side      = 32 // of the pictures that the tower sees
)

// sets is what is trained on and what it is tested on.
type sets struct {
	train     dataset.Source
	tests     []test
	classes   []string // nil where pictures have captions only
	templates []string
	groups    string
	context   int // length in tokens
	lr        float64
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

func open(data, testData string, steps int, seed uint64) (*sets, error) {
	if steps < 1 {
		return nil, fmt.Errorf("-steps %d, want 1 or more", steps)
	}
	if data == "" {
		return drawn(steps, seed)
	}
	return files(data, testData)
}

// drawn is the embedded default: pictures that the library draws, no two alike.
func drawn(steps int, seed uint64) (*sets, error) {
	shapes := dataset.Shapes{Size: side, Seed: seed}
	training, err1 := shapes.Train(steps * batchSize)
	known, err2 := shapes.Known(1120)
	unseen, err3 := shapes.Unseen(560)
	return &sets{
		train: training, tests: []test{{"known combinations", known}, {"unseen combinations", unseen}},
		classes: shapes.Classes(), templates: shapes.Templates(), groups: "label", context: 24, lr: 2e-3,
	}, errors.Join(err1, err2, err3)
}

// files is a set of the user's.
func files(data, testData string) (*sets, error) {
	training, err := dataset.Open(data, nil)
	if err != nil {
		return nil, err
	}
	s := &sets{
		train: training, classes: training.Classes(), templates: []string{"a photo of a {}"},
		groups: "label", context: 32, lr: 1e-3, augment: dataset.Flip(0.5), close: []*dataset.Set{training},
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

// tokenizer trains a byte-level BPE on the captions of the set.
func tokenizer(ctx context.Context, src dataset.Source) (*text.BPE, error) {
	var failed error
	captions := iter.Seq[string](func(yield func(string) bool) {
		n := 0
		for sample, err := range src.Samples(ctx, dataset.Order{}) {
			if failed = err; err != nil || n == 20_000 {
				return
			}
			n++
			for _, c := range sample.Captions {
				if !yield(c) {
					return
				}
			}
		}
	})
	tok, err := text.TrainBPE(captions, text.TrainOptions{VocabSize: 1000})
	return tok, errors.Join(failed, err)
}

// config is a CLIP small enough to be trained in a minute.
func config(tok text.Tokenizer, context int) encoder.Config {
	return encoder.Config{
		Vision: vision.Config{
			ImageSize: [2]int{side, side}, PatchSize: 8, Width: 64, Layers: 3, Heads: 2, EmbedDim: 64,
			Activation: "quick_gelu", Pool: "avg", NormEps: 1e-5,
		},
		Text: text.Config{
			ContextLength: context, VocabSize: tok.VocabSize(), Width: 64, Layers: 1, Heads: 2, EmbedDim: 64,
			Activation: "quick_gelu", Mask: "padding", Pool: "mean", EOSTokenID: int32(tok.VocabSize() - 1), NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{side, side}, Resize: "shortest", Interpolation: "bicubic",
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}, Ground: color.White,
		},
	}
}

func terminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
