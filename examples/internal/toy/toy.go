// Package toy is the model that the examples train: a CLIP small enough for a
// minute.
package toy

import (
	"context"
	"image/color"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Side is that of the pictures that the image tower sees.
const Side = 32

// New returns the model with random weights, for captions of up to so many tokens.
func New(tok tokenizer.Tokenizer, context int, seed uint64) (*encoder.Model, error) {
	return encoder.New(config(tok, context), tok, seed)
}

// NewForCouples returns one for captions of two figures, whose order of words
// counts: with a second text layer and a wider embedding.
func NewForCouples(tok tokenizer.Tokenizer, context int, seed uint64) (*encoder.Model, error) {
	c := config(tok, context)
	c.Text.Layers = 2
	c.Vision.EmbedDim, c.Text.EmbedDim = 128, 128
	return encoder.New(c, tok, seed)
}

func config(tok tokenizer.Tokenizer, context int) encoder.Config {
	return encoder.Config{
		Vision: vision.Config{
			ImageSize: [2]int{Side, Side}, PatchSize: 8, Width: 64, Layers: 3, Heads: 2, EmbedDim: 64,
			Activation: "quick_gelu", Pool: "avg", NormEps: 1e-5,
		},
		Text: text.Config{
			ContextLength: context, VocabSize: tok.VocabSize(), Width: 64, Layers: 1, Heads: 2, EmbedDim: 64,
			Activation: "quick_gelu", Mask: "padding", Pool: "mean", EOSTokenID: int32(tok.VocabSize() - 1), NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{Side, Side}, Resize: vision.ResizeShortest, Interpolation: vision.Bicubic,
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}, Ground: color.White,
		},
	}
}

// Tokenizer trains a byte-level BPE on the captions of the set.
func Tokenizer(ctx context.Context, src dataset.Source) (*tokenizer.BPE, error) {
	captions, err := dataset.Captions(ctx, src, 20_000)
	if err != nil {
		return nil, err
	}
	return tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: 1000})
}
