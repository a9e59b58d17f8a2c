package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
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

// Fine-tuning a checkpoint with adapters of low rank: the model is read where it
// lies and stays as it is; what is learnt is a small file of its own.
func Example_loRA() {
	ctx, dir := context.Background(), pretrained()
	defer os.RemoveAll(dir)
	adapters := filepath.Join(dir, "adapters.safetensors")

	model, err := encoder.Load(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	if err := model.AddLoRA(encoder.LoRA{Rank: 4, Alpha: 8}, 1); err != nil {
		log.Fatal(err)
	}
	trainer, err := train.New(model, train.Config{LR: train.Constant(3e-3, 5)})
	if err != nil {
		log.Fatal(err)
	}
	images := someShapes()
	for range 30 {
		if _, err := trainer.Step(ctx, images); err != nil {
			log.Fatal(err)
		}
	}
	if err := model.SaveLoRA(adapters); err != nil {
		log.Fatal(err)
	}

	tuned, err := encoder.Load(dir, nil) // somewhere else, later
	if err != nil {
		log.Fatal(err)
	}
	defer tuned.Close()
	if err := tuned.LoadLoRA(adapters); err != nil {
		log.Fatal(err)
	}
	if err := tuned.MergeLoRA(); err != nil { // from here on a model like any other
		log.Fatal(err)
	}
	for _, m := range []*encoder.Model{model, tuned} {
		e, err := m.EncodeImages(ctx, images[0].Image)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.2f\n", e.Row(0)[:2])
	}
	// Output:
	// [0.30 0.12]
	// [0.30 0.12]
}

// Locked-image tuning: the text tower learns to read what the image tower sees.
// A batch of 64 pairs goes through the towers 16 at a time.
func Example_lockedTower() {
	ctx, dir := context.Background(), pretrained()
	defer os.RemoveAll(dir)

	model, err := encoder.Load(dir, &encoder.Options{Trainable: true})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := train.New(model, train.Config{
		LR:         train.Linear(1e-3, 5, 40),
		LockImage:  true,
		Freeze:     []string{"token_embedding.*"},
		LayerDecay: 0.8,
		MicroBatch: 16,
	})
	if err != nil {
		log.Fatal(err)
	}
	images := someShapes()
	var first, last train.Stats
	for step := range 40 {
		if last, err = trainer.Step(ctx, images); err != nil {
			log.Fatal(err)
		}
		if step == 0 {
			first = last
		}
	}
	fmt.Println("learnt something:", last.Loss < first.Loss)
	// Output: learnt something: true
}

// someShapes are 64 pairs of the drawn set.
func someShapes() []dataset.Pair {
	src, err := shapes.Set{Seed: 1}.Train(64)
	if err != nil {
		log.Fatal(err)
	}
	pairs := make([]dataset.Pair, 64)
	for i := range pairs {
		if pairs[i], err = src.At(i).Pair(0); err != nil {
			log.Fatal(err)
		}
	}
	return pairs
}

// pretrained is a folder with a small model, for the examples to tune.
func pretrained() string {
	src, err := shapes.Set{Seed: 1}.Train(64)
	if err != nil {
		log.Fatal(err)
	}
	captions, err := dataset.Captions(context.Background(), src, 0)
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
			ContextLength: 24, VocabSize: tok.VocabSize(), Width: 32, Layers: 2, Heads: 2, EmbedDim: 32,
			Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(32),
	}, tok, 1)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "goclip")
	if err != nil {
		log.Fatal(err)
	}
	if err := model.Save(dir); err != nil {
		log.Fatal(err)
	}
	return dir
}
