package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/color"
	"path/filepath"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/augment"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Architecture returns the configuration of a model for a tokenizer, which
// determines the vocabulary size and the end token.
type Architecture func(tokenizer.Tokenizer) (encoder.Config, error)

// upright is the architecture of a model whose preprocessing turns photographs, or does
// not.
func (a Architecture) upright(is bool) Architecture {
	return func(tok tokenizer.Tokenizer) (encoder.Config, error) {
		cfg, err := a(tok)
		if err == nil && cfg.Preprocess != nil {
			p := *cfg.Preprocess
			p.Upright = is
			cfg.Preprocess = &p
		}
		return cfg, err
	}
}

// reading is the architecture with another model's image tower, to whose embeddings the text
// tower leads.
func (a Architecture) reading(images encoder.Config) Architecture {
	return func(tok tokenizer.Tokenizer) (encoder.Config, error) {
		cfg, err := a(tok)
		if err != nil {
			return cfg, err
		}
		cfg.Vision, cfg.Preprocess = images.Vision, images.Preprocess
		dim := images.Vision.Dims().EmbedDim
		words, ok := cfg.Text.(text.Transformer)
		if !ok && cfg.Text.Dims().EmbedDim != dim {
			return cfg, fmt.Errorf("job: the image tower's embeddings have %d numbers, the text tower's %d", dim, cfg.Text.Dims().EmbedDim)
		}
		if ok {
			words.EmbedDim = dim
			cfg.Text = words
		}
		return cfg, nil
	}
}

// ArchitectureNames are those that [FindArchitecture] knows besides files.
func ArchitectureNames() []string {
	return append([]string{"toy", "small"}, encoder.ConfigNames()...)
}

// FindArchitecture returns the architecture of a name: "toy", for images of 32 pixels,
// learns in a minute, "small" is for images of 64; a published one such as "ViT-B-32";
// or a .json file in the form of open_clip's model_configs. For any other name found is
// false.
func FindArchitecture(name string) (a Architecture, found bool, err error) {
	if filepath.Ext(name) == ".json" {
		file, err := read(name, 1<<24) // more than is accepted
		return func(tok tokenizer.Tokenizer) (encoder.Config, error) {
			return encoder.ReadConfig(bytes.NewReader(file), tok)
		}, true, err
	}
	return func(tok tokenizer.Tokenizer) (encoder.Config, error) {
		if cfg, published, err := encoder.ConfigFor(name, tok); published {
			return cfg, err
		}
		if tok == nil {
			return encoder.Config{}, errors.New("job: architecture: the tokenizer is nil")
		}
		return compact(name, tok), nil
	}, slices.Contains(ArchitectureNames(), name), nil
}

// Vocabulary trains the tokenizer of a new model on the captions of a set, of its first
// 20,000 samples. It has the given number of tokens, or fewer if the captions do not
// yield as many.
func Vocabulary(ctx context.Context, set dataset.Source, tokens int) (*tokenizer.BPE, error) {
	captions, err := dataset.Captions(ctx, set, 20_000)
	if err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	return tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: tokens})
}

// Fresh returns a model with random weights. With bias it gets a logit bias, which the
// sigmoid loss needs, if its architecture has none.
func Fresh(a Architecture, tok tokenizer.Tokenizer, bias bool, seed uint64) (*encoder.Model, error) {
	if a == nil {
		return nil, errors.New("job: fresh: Architecture is nil")
	}
	cfg, err := a(tok)
	if err != nil {
		return nil, err
	}
	if bias && cfg.LogitBias == nil {
		start := -10.0 // as SigLIP's begins
		cfg.LogitBias = &start
	}
	if err := affordable(cfg); err != nil {
		return nil, err
	}
	return encoder.New(cfg, tok, seed)
}

// maxParams is more than the largest published model has, 5 billion.
const maxParams = 1 << 33

// affordable refuses a model whose parameters would fill any machine's memory, before
// they get any.
func affordable(cfg encoder.Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	var params []*nn.Param
	if cfg.Vision != nil {
		tower, err := cfg.Vision.New()
		if err != nil {
			return err
		}
		params = tower.Params()
	}
	if cfg.Text != nil {
		tower, err := cfg.Text.New()
		if err != nil {
			return err
		}
		params = append(params, tower.Params()...)
	}
	n := 0.0 // not an int, which could overflow
	for _, p := range params {
		size := 1.0
		for _, d := range p.Shape {
			size *= float64(d)
		}
		n += size
	}
	if n > maxParams {
		return fmt.Errorf("job: the model would have %.3g parameters, more than %d", n, int64(maxParams))
	}
	return nil
}

// compact is a model for small machines: what fits images of 32 or 64 pixels
// and captions of a line.
func compact(name string, tok tokenizer.Tokenizer) encoder.Config {
	side, patch, width, depth, heads := 32, 8, 64, 3, 2
	if name == "small" {
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
			Size: [2]int{side, side}, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}, Ground: color.White,
		},
	}
}

// AugmentNames are the augmentations that [Augment] knows, in the order in which it
// applies them.
func AugmentNames() []string { return []string{"flip", "crop", "pad", "color", "grey"} }

// Augment returns the named augmentations for images of the given height and width: flip,
// with probability 0.5; crop, RandomResizedCrop to at least the fraction cropScale of the
// area; pad, a random shift; color, ColorJitter; grey, with probability 0.1. Unknown names
// are ignored. It returns nil if no name is left.
func Augment(names []string, size [2]int, cropScale float64) dataset.Augment {
	var chain []dataset.Augment
	for i, change := range []dataset.Augment{
		augment.Flip(0.5),
		augment.RandomResizedCrop(size[1], size[0], [2]float64{cropScale, 1}, [2]float64{3. / 4, 4. / 3}),
		augment.PadAndCrop(max(1, size[0]/8)),
		augment.ColorJitter(0.3, 0.3, 0.3, 0.05),
		augment.Grey(0.1),
	} {
		if slices.Contains(names, AugmentNames()[i]) {
			chain = append(chain, change)
		}
	}
	if chain == nil {
		return nil
	}
	return augment.Chain(chain...)
}
