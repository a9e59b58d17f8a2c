package encoder_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"log"
	"os"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

func Example() {
	ctx, dir, img := context.Background(), trained(), drawing()
	defer os.RemoveAll(dir)

	model, err := encoder.Load(dir, nil) // a folder from Hugging Face, open_clip, OpenAI, or your own
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	classifier, err := model.NewClassifier(ctx, []string{"red", "blue"}, "a {} picture", "something {}")
	if err != nil {
		log.Fatal(err)
	}
	best, err := classifier.Classify(ctx, img) // any image.Image
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, more than even: %t\n", best[0].Label, best[0].Probability > 0.5)
	// Output: red, more than even: true
}

// drawing is an image to be classified: red all over.
func drawing() image.Image {
	return uniform(color.RGBA{200, 20, 30, 255})
}

func uniform(c color.RGBA) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		img.SetRGBA(i%16, i/16, c)
	}
	return img
}

// trained saves a tiny model that has learnt two words and returns its folder.
func trained() string {
	ctx := context.Background()
	captions := []string{"a red picture", "a blue picture", "something red", "something blue"}
	tok, err := tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: 300})
	fatal(err)
	model, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 1, Heads: 1, EmbedDim: 8,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 12, VocabSize: tok.VocabSize(), Width: 16, Layers: 1, Heads: 1, EmbedDim: 8,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(16),
	}, tok, 1)
	fatal(err)
	trainer, err := train.New(model, train.Config{LR: train.Constant(5e-3, 5), Groups: train.GroupByLabel})
	fatal(err)
	for i := range 60 {
		var pairs []dataset.Pair
		for j, c := range captions {
			v := uint8(150 + (i*37+j*11)%100)
			paint := color.RGBA{v, v / 8, v / 6, 255}
			if j%2 == 1 {
				paint = color.RGBA{v / 8, v / 6, v, 255}
			}
			pairs = append(pairs, dataset.Pair{Image: uniform(paint), Caption: c, Label: []string{"red", "blue"}[j%2]})
		}
		_, err := trainer.Step(ctx, pairs)
		fatal(err)
	}
	dir, err := os.MkdirTemp("", "goclip")
	fatal(err)
	fatal(model.Save(dir))
	return dir
}

func fatal(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
