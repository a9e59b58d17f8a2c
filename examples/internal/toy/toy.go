// Package toy is the model that the examples train: a CLIP small enough for a
// minute.
package toy

import (
	"context"
	"image/color"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Side is that of the images that the image tower sees.
const Side = 32

// New returns the model with random weights, for captions of up to so many tokens.
func New(tok tokenizer.Tokenizer, context int, seed uint64) (*encoder.Model, error) {
	return newModel(tok, context, 1, 64, 8, vision.PoolMean, seed)
}

// NewForCouples returns one for captions of two figures, whose order of words
// counts: with a second text layer and a wider embedding.
func NewForCouples(tok tokenizer.Tokenizer, context int, seed uint64) (*encoder.Model, error) {
	return newModel(tok, context, 2, 128, 8, vision.PoolMean, seed)
}

// NewFine is [NewForCouples] with patches of half the side and a class token, at thrice the
// time: what it looks at can be told more finely.
func NewFine(tok tokenizer.Tokenizer, context int, seed uint64) (*encoder.Model, error) {
	return newModel(tok, context, 2, 128, 4, vision.PoolClass, seed)
}

func newModel(tok tokenizer.Tokenizer, context, textLayers, dim, patch int, pool vision.Pool, seed uint64) (*encoder.Model, error) {
	return encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{Side, Side}, PatchSize: patch, Width: 64, Layers: 3, Heads: 2, EmbedDim: dim,
			Activation: nn.QuickGELU, Pool: pool, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: context, VocabSize: tok.VocabSize(), Width: 64, Layers: textLayers, Heads: 2, EmbedDim: dim,
			Activation: nn.QuickGELU, Mask: text.MaskPadding, Pool: text.PoolMean, EOSTokenID: int32(tok.VocabSize() - 1), NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{Side, Side}, Resize: vision.ResizeShortest, Interpolation: vision.Bicubic,
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}, Ground: color.White,
		},
	}, tok, seed)
}

// Tokenizer trains a byte-level BPE on the captions of the set.
func Tokenizer(ctx context.Context, src dataset.Source) (*tokenizer.BPE, error) {
	captions, err := dataset.Captions(ctx, src, 20_000)
	if err != nil {
		return nil, err
	}
	return tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: 1000})
}
