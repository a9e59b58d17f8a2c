package main

import (
	"errors"
	"image/color"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// model is the one to fine-tune, or a new one.
func (c *trainCommand) model(s *session, set dataset.Source) (*encoder.Model, error) {
	if c.From != "" {
		m, err := encoder.Load(c.From, &encoder.Options{Trainable: true})
		return m, input(err)
	}
	names := append([]string{"toy", "small"}, encoder.ConfigNames()...)
	if !slices.Contains(names, c.Arch) {
		return nil, wrong("no --arch %s%s; there are %v", c.Arch, nearest(c.Arch, names), names)
	}
	var failed error
	tok, err := text.TrainBPE(captions(s, set, &failed), text.TrainOptions{VocabSize: c.Vocab})
	if err := errors.Join(failed, err); err != nil {
		return nil, err
	}
	cfg, published := encoder.ConfigByName(c.Arch)
	if published {
		cfg.Text.VocabSize = tok.VocabSize()
	} else {
		cfg = compact(c.Arch, tok)
	}
	if c.Loss == "sigmoid" && cfg.LogitBias == nil {
		bias := -10.0 // as SigLIP's begins
		cfg.LogitBias = &bias
	}
	return encoder.New(cfg, tok, c.Seed)
}

// compact is a model for small machines: what fits pictures of 32 or 64 pixels
// and captions of a line.
func compact(arch string, tok text.Tokenizer) encoder.Config {
	side, patch, width, depth, heads := 32, 8, 64, 3, 2
	if arch == "small" {
		side, patch, width, depth, heads = 64, 8, 192, 6, 6
	}
	return encoder.Config{
		Vision: vision.Config{
			ImageSize: [2]int{side, side}, PatchSize: patch, Width: width, Layers: depth, Heads: heads, EmbedDim: width,
			Activation: "quick_gelu", Pool: "avg", NormEps: 1e-5,
		},
		Text: text.Config{
			ContextLength: 32, VocabSize: tok.VocabSize(), Width: width, Layers: (depth + 1) / 2, Heads: heads, EmbedDim: width,
			Activation: "quick_gelu", Mask: "padding", Pool: "mean", EOSTokenID: int32(tok.VocabSize() - 1), NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{side, side}, Resize: "shortest", Interpolation: "bicubic",
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}, Ground: color.White,
		},
	}
}
