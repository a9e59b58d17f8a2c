package main

import (
	"context"
	"path/filepath"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
)

// training is a step of a model, on captions of the context's length or of their own, or of the toy. Both
// sides begin with the checkpoints' weights, so that after as many steps they have the same loss.
func training(root, model string) maker {
	return func(name string) (work, error) {
		what, n, err := caseOf(name)
		if err != nil {
			return nil, err
		}
		folder, ids := model, "ids-full"
		switch what {
		case "toy":
			folder, ids = "toy", "ids-toy"
		case "captions":
			ids = "ids-captions"
		}
		m, err := encoder.Load(filepath.Join(root, folder), &encoder.Options{Trainable: true})
		if err != nil {
			return nil, err
		}
		t, err := train.New(m, train.Config{LR: train.Constant(1e-4, 1), WeightDecay: 0.2})
		if err != nil {
			return nil, err
		}
		size := m.Config().Vision.Dims().ImageSize
		pixels, err := numbers[float32](filepath.Join(root, "pixels"), n*3*size[0]*size[1])
		if err != nil {
			return nil, err
		}
		tokens, err := numbers[int32](filepath.Join(root, ids), n*m.Config().Text.Dims().ContextLength)
		return func() ([]float32, error) {
			s, err := t.StepBatch(context.Background(), &train.Batch{N: n, Pixels: pixels, Tokens: tokens})
			return []float32{float32(s.Loss)}, err
		}, err
	}
}
