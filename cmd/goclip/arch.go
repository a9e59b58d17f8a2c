package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// model is the one to fine-tune, or a new one.
func (c *trainCommand) model(s *session, set dataset.Source) (*encoder.Model, error) {
	if c.From == "" {
		c.Arch = cmp.Or(c.Arch, "toy")
		return c.fresh(s, set)
	}
	m, err := encoder.Load(c.From, &encoder.Options{Trainable: c.LoRARank == 0})
	if err != nil || c.LoRARank == 0 {
		return m, input(err)
	}
	adapters := encoder.LoRA{Rank: c.LoRARank, Alpha: c.LoRAAlpha, Targets: c.LoRATargets}
	if err := m.AddLoRA(adapters, c.Seed); err != nil {
		return nil, coded{errors.Join(err, m.Close()), misuse}
	}
	return m, nil
}

// fresh is a new model with a tokenizer of the set's words.
func (c *trainCommand) fresh(s *session, set dataset.Source) (*encoder.Model, error) {
	config, err := c.architecture()
	if err != nil {
		return nil, err
	}
	captions, err := dataset.Captions(s, set, 20_000)
	if err != nil {
		return nil, input(err)
	}
	tok, err := tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: c.Vocab})
	if err != nil {
		return nil, wrong("--vocab %d: %w", c.Vocab, err)
	}
	cfg, err := config(tok)
	if err != nil {
		return nil, input(fmt.Errorf("%s: %w", c.Arch, err))
	}
	if c.Loss == "sigmoid" && cfg.LogitBias == nil {
		bias := -10.0 // as SigLIP's begins
		cfg.LogitBias = &bias
	}
	return encoder.New(cfg, tok, c.Seed)
}

// architecture finds what --arch names, which a tokenizer completes.
func (c *trainCommand) architecture() (func(tokenizer.Tokenizer) (encoder.Config, error), error) {
	if filepath.Ext(c.Arch) == ".json" {
		file, err := os.ReadFile(c.Arch)
		return func(tok tokenizer.Tokenizer) (encoder.Config, error) {
			return encoder.ReadConfig(bytes.NewReader(file), tok)
		}, input(err)
	}
	names := append([]string{"toy", "small"}, encoder.ConfigNames()...)
	if !slices.Contains(names, c.Arch) {
		return nil, wrong("no --arch %s%s; there are %v, and files of one's own, .json", c.Arch, nearest(c.Arch, names), names)
	}
	return func(tok tokenizer.Tokenizer) (encoder.Config, error) {
		if cfg, published := encoder.ConfigFor(c.Arch, tok); published {
			return cfg, nil
		}
		return compact(c.Arch, tok), nil
	}, nil
}

// compact is a model for small machines: what fits pictures of 32 or 64 pixels
// and captions of a line.
func compact(arch string, tok tokenizer.Tokenizer) encoder.Config {
	side, patch, width, depth, heads := 32, 8, 64, 3, 2
	if arch == "small" {
		side, patch, width, depth, heads = 64, 8, 192, 6, 6
	}
	return encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{side, side}, PatchSize: patch, Width: width, Layers: depth, Heads: heads, EmbedDim: width,
			Activation: nn.QuickGELU, Pool: vision.PoolMean, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 32, VocabSize: tok.VocabSize(), Width: width, Layers: (depth + 1) / 2, Heads: heads, EmbedDim: width,
			Activation: nn.QuickGELU, Mask: text.MaskPadding, Pool: text.PoolMean, EOSTokenID: int32(tok.VocabSize() - 1), NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{side, side}, Resize: vision.ResizeShortest, Interpolation: vision.Bicubic,
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}, Ground: color.White,
		},
	}
}
