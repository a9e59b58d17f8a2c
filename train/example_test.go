package train_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// A training loop from nothing: the drawn set, a tokenizer of its captions, a
// model, steps.
func Example() {
	ctx := context.Background()
	const steps, size = 150, 32
	images, err := shapes.Set{Seed: 1}.Train(steps * size)
	if err != nil {
		log.Fatal(err)
	}
	captions, err := dataset.Captions(ctx, images, 0)
	if err != nil {
		log.Fatal(err)
	}
	tok, err := tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: 400})
	if err != nil {
		log.Fatal(err)
	}
	model, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{32, 32}, PatchSize: 8, Width: 32, Layers: 2, Heads: 2, EmbedDim: 32,
			Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 24, VocabSize: tok.VocabSize(), Width: 32, Layers: 1, Heads: 2, EmbedDim: 32,
			Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(32),
	}, tok, 1)
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := train.New(model, train.Config{LR: train.Cosine(1e-3, 10, steps), WeightDecay: 0.1, ClipNorm: 1})
	if err != nil {
		log.Fatal(err)
	}
	var stats train.Stats
	for batch, err := range dataset.Batches(ctx, images, dataset.BatchOptions{Size: size, Epochs: 1, Shuffle: true}) {
		if err != nil {
			log.Fatal(err)
		}
		if stats, err = trainer.Step(ctx, batch.Pairs); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("step %d: better than chance: %t\n", stats.Step+1, stats.Loss < 0.9*stats.Chance)
	// Output: step 150: better than chance: true
}
