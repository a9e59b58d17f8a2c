package main

// What goclip does, as the comparisons ask for it. All that depends on how the
// library is used for models and tokenizers stands here, in processors.go for the
// preprocessing of transformers, and in stages.go for values inside the towers.

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/goclip/goclip/convert"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// model is a model of goclip.
type model struct{ encoder *encoder.Model }

// openModel loads a model as users do. Of preprocess, a height and width, pictures are
// prepared where the folder does not say how; resized replaces the size of its pictures.
func openModel(path string, preprocess, resized []int) (*model, error) {
	var opts encoder.Options
	if preprocess != nil {
		opts.Preprocess = vision.CLIPPreprocess(preprocess[0])
		opts.Preprocess.Size = [2]int(preprocess)
	}
	if resized != nil {
		opts.ImageSize = [2]int(resized)
	}
	m, err := encoder.Load(path, &opts)
	if err != nil {
		return nil, err
	}
	return &model{m}, nil
}

// openPatchModel loads a model of pictures as patches whose folder does not say how they
// are prepared: as at most so many patches of a size.
func openPatchModel(path string, most, patch int) (*model, error) {
	m, err := encoder.Load(path, &encoder.Options{Preprocess: &vision.Preprocess{
		PatchSize: patch, MaxPatches: most, Resize: vision.ResizeSquash, Std: [3]float32{1, 1, 1},
	}})
	if err != nil {
		return nil, err
	}
	return &model{m}, nil
}

func (m *model) close() error { return m.encoder.Close() }

// images returns the features of pixel_values.
func (m *model) images(ctx context.Context, want *tensors) (*encoder.Embeddings, error) {
	if want.has("spatial_shapes") || want.has("pixel_attention_mask") {
		return m.patches(ctx, want)
	}
	cfg := m.encoder.Config().Vision
	if cfg == nil {
		return nil, notSupported("pixel_values: the model was loaded without an image tower")
	}
	pixels, shape := want.floats("pixel_values"), want.shape("pixel_values")
	if want.err != nil {
		return nil, want.err
	}
	size := cfg.Dims().ImageSize
	if len(shape) != 4 || [3]int(shape[1:]) != [3]int{3, size[0], size[1]} {
		return nil, wrongInput(want, "pixel_values", "(B, 3, %d, %d)", size[0], size[1])
	}
	return m.encoder.ImageFeatures(ctx, pixels)
}

// patches returns the features of pictures of several grids.
func (m *model) patches(ctx context.Context, want *tensors) (*encoder.Embeddings, error) {
	patches, shape, grids := want.floats("pixel_values"), want.shape("pixel_values"), spatialShapes(want)
	mask := want.ids("pixel_attention_mask")
	if want.err != nil {
		return nil, want.err
	}
	for i, g := range grids {
		for j, kept := range mask[i*shape[1]:][:shape[1]] {
			if (kept != 0) != (j < g[0]*g[1]) {
				return nil, notSupported("the mask of picture %d, which has a grid of %v", i, g)
			}
		}
	}
	return m.encoder.PatchFeatures(ctx, patches, grids)
}

// spatialShapes are the grids of pictures as patches.
func spatialShapes(want *tensors) [][2]int {
	var grids [][2]int
	for pair := range slices.Chunk(want.ids("spatial_shapes"), 2) {
		grids = append(grids, [2]int{int(pair[0]), int(pair[1])})
	}
	return grids
}

// texts returns the features of token ids. Rows that are shorter than the context are
// padded: with the id that the file pads with, where its mask shows one.
func (m *model) texts(ctx context.Context, want *tensors, ids []int32, shape []int) (*encoder.Embeddings, error) {
	cfg := m.encoder.Config().Text
	if cfg == nil {
		return nil, notSupported("input_ids: the model was loaded without a text tower")
	}
	if want.err != nil {
		return nil, want.err
	}
	length := cfg.Dims().ContextLength
	padded := want.has("attention_mask") // else every place counts
	if len(shape) != 2 || shape[1] != length && !padded || shape[1] > length {
		return nil, wrongInput(want, "input_ids", "(B, %d)", length)
	}
	mask, pad := want.mask(shape), int32(0)
	for i, keep := range mask {
		if keep == 0 {
			pad = ids[i]
		}
	}
	// wide pads the rows of a tensor.
	wide := func(x []int32, pad int32) []int32 {
		rows := slices.Repeat([]int32{pad}, shape[0]*length)
		for i := range shape[0] {
			copy(rows[i*length:], x[i*shape[1]:][:shape[1]])
		}
		return rows
	}
	t := encoder.Tokens{IDs: wide(ids, pad)}
	if want.has("token_type_ids") {
		t.Types = wide(want.ids("token_type_ids"), 0)
	}
	return m.encoder.TokenFeatures(ctx, t)
}

// tokens returns the ids of a text, cut to n.
func (m *model) tokens(text string, n int) ([]int32, error) {
	tok := m.encoder.Tokenizer()
	if tok == nil {
		return nil, notSupported("the model was loaded without a tokenizer")
	}
	ids := make([]int32, n)
	used, _ := tok.Encode(ids, text)
	return ids[:used], nil
}

// hasScale reports whether cosines are scaled.
func (m *model) hasScale() bool { return m.encoder.LogitScale() != nil }

func (m *model) scale() float64 { return math.Exp(float64(m.encoder.LogitScale().Data[0])) }

func (m *model) bias() (b float64, ok bool) {
	p := m.encoder.LogitBias()
	if p == nil {
		return 0, false
	}
	return float64(p.Data[0]), true
}

// severalVectors reports whether the image tower gives several vectors for an image.
func (m *model) severalVectors() bool {
	_, ok := m.encoder.Config().Vision.(vision.MultiVector)
	return ok
}

// convolutional reports whether the image tower normalises by batch: its features
// differ by more from machine to machine.
func (m *model) convolutional() bool {
	for _, p := range m.encoder.Vision().Params() {
		if strings.HasSuffix(p.Name, ".running_mean") {
			return true
		}
	}
	return false
}

// vocabulary is a tokenizer of a size and nothing else.
type vocabulary int

func (v vocabulary) VocabSize() int { return int(v) }
func (v vocabulary) Encode(dst []int32, _ string) (int, bool) {
	dst[0] = int32(v) - 1
	return 1, false
}

// openCLIPTensors lists the parameters that a model of an open_clip_config.json has, and
// whether its file puts "text." before those of the text tower.
func openCLIPTensors(config []byte, vocab int) (params []*nn.Param, custom bool, err error) {
	cfg, err := encoder.ReadConfig(bytes.NewReader(config), vocabulary(vocab))
	if err != nil {
		return nil, false, err
	}
	image, err := cfg.Vision.New()
	if err != nil {
		return nil, false, err
	}
	words, err := cfg.Text.New()
	if err != nil {
		return nil, false, err
	}
	params = append(image.Params(), words.Params()...)
	params = append(params, cfg.Captioner.Params()...)
	params = append(params, nn.NewParam("logit_scale"))
	if cfg.LogitBias != nil {
		params = append(params, nn.NewParam("logit_bias"))
	}
	return params, customText(config), nil
}

// decodeFile reads a picture file.
func decodeFile(path string, upright bool) (image.Image, error) {
	return decodeWith(path, &vision.DecodeOptions{Upright: upright})
}

func decodeWith(path string, opts *vision.DecodeOptions) (image.Image, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	opts.Converter = convert.New(context.Background(), nil)
	img, err := vision.Decode(bytes.NewReader(b), opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// decodeTruncated reads a picture file of which a part is missing as far as it goes, as
// Pillow does with LOAD_TRUNCATED_IMAGES.
func decodeTruncated(path string) (image.Image, error) {
	return decodeWith(path, &vision.DecodeOptions{AllowTruncated: true})
}
