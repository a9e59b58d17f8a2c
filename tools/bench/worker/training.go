package main

import (
	"context"
	"path/filepath"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
)

// training is a step as training.py's. Both begin with the checkpoints' weights, so
// that after as many steps they have the same loss.
func training(c *cases, root string) {
	add := func(name, key, px, ids string, n, side, length int) {
		c.add(name, func() (work, error) {
			pixels, err := numbers[float32](filepath.Join(root, px), n*3*side*side)
			if err != nil {
				return work{}, err
			}
			tokens, err := numbers[int32](filepath.Join(root, ids), n*length)
			if err != nil {
				return work{}, err
			}
			m, err := encoder.Load(filepath.Join(root, key), &encoder.Options{Trainable: true})
			if err != nil {
				return work{}, err
			}
			t, err := train.New(m, train.Config{LR: train.Constant(1e-4, 1), WeightDecay: 0.2})
			if err != nil {
				return work{}, err
			}
			step := func() ([]float32, error) {
				s, err := t.StepBatch(context.Background(), &train.Batch{N: n, Pixels: pixels, Tokens: tokens})
				return []float32{float32(s.Loss)}, err
			}
			return work{func() error { _, err := step(); return err }, step}, nil
		})
	}
	add("train/8", "vitb32", "pixels224.f32", "ids_full.i32", 8, 224, 77)
	add("toy/128", "toy1000", "toy_pixels.f32", "toy_ids.i32", 128, 32, 32)
}
