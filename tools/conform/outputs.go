package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
)

// Tolerances of what a model computes, for expected values in float32: relative
// to the largest number of the tensor where so named, else absolute.
const (
	relFeatures      = 1e-5
	relFeaturesDeep  = 3e-5 // of convolutions with batch norms: ResNets, EfficientNets
	relIntermediates = 2e-5
	relStages        = 3e-5
	relScale         = 1e-6
	absNorm          = 5e-6
	absLogits        = 1e-4
)

// compareModel loads a model as users do and compares what it computes.
func compareModel(ctx context.Context, r *report, path, expected string) (err error) {
	want, err := openTensors(expected)
	if err != nil {
		return err
	}
	defer want.close()
	m, err := load(path, want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.compare(ctx, r, want); err != nil {
		return err
	}
	for _, name := range want.names("") {
		if strings.Contains(name, ".") {
			want.read[name] = true // of an aspect, which is a case of its own
		}
	}
	return want.finish()
}

// compare runs the towers that the file has inputs for, and compares every output.
func (m *model) compare(ctx context.Context, r *report, want *tensors) error {
	if want.has("itm_logits") {
		if !m.severalVectors() {
			return notSupported("itm_logits, which are not of an embedding")
		}
		want.read["itm_logits"] = true // of BLIP-2's head that reads image and caption together, which is not computed
	}
	var images, texts *encoder.Embeddings
	var err error
	if want.has("pixel_values") {
		if images, err = m.images(ctx, want); err != nil {
			return err
		}
		relative := relFeatures
		if m.convolutional() {
			relative = relFeaturesDeep
		}
		m.features(r, want, images, relative, "image_features", "image_pooled", "st_image_embeddings", "logits")
	}
	if want.has("input_ids") {
		if texts, err = m.texts(ctx, want, want.ids("input_ids"), want.shape("input_ids")); err != nil {
			return err
		}
		m.features(r, want, texts, relFeatures, "text_features", "text_pooled", "st_text_embeddings")
	}
	if want.has("last_hidden_state") {
		if err := m.hidden(r, want); err != nil {
			return err
		}
	}
	if images == nil || texts == nil {
		return want.err
	}
	return m.compareLogits(r, want, images, texts)
}

// compareLogits compares the scale, the bias and the scaled cosines.
func (m *model) compareLogits(r *report, want *tensors, images, texts *encoder.Embeddings) error {
	scale, bias := 1.0, 0.0
	switch {
	case want.has("temperature"): // which divides
		if !m.hasScale() {
			return notSupported("logits divided by a temperature")
		}
		scale = m.scale()
		w := want.scalar("temperature")
		r.number("temperature", 1/scale, w, relScale*w)
	case want.has("logit_scale_exp"):
		scale = m.scale()
		w := want.scalar("logit_scale_exp")
		r.number("logit_scale_exp", scale, w, relScale*w)
	}
	if b, ok := m.bias(); ok || want.has("logit_bias") {
		bias = b
		w := want.scalar("logit_bias")
		r.number("logit_bias", b, w, relScale*math.Abs(w))
	}
	images, texts = unit(images), unit(texts)
	perImage, perText := logits(images, texts, scale, bias), make([]float32, images.N*texts.N)
	for i, v := range perImage {
		perText[i%texts.N*images.N+i/texts.N] = v
	}
	r.near("logits_per_image", perImage, want.floats("logits_per_image"), absLogits)
	r.near("logits_per_text", perText, want.floats("logits_per_text"), absLogits)
	return want.err
}

// features compares the names that the file has for a tower's output, of which there
// must be one; the first is there normalised too, and of BLIP-2 only so.
func (m *model) features(r *report, want *tensors, e *encoder.Embeddings, relative float64, names ...string) {
	has := slices.ContainsFunc(names, want.has)
	for i, name := range names {
		if !want.has(name) && (has || i > 0) {
			continue
		}
		if i == 0 {
			r.near(name+"_norm", unit(e).Data, want.floats(name+"_norm"), absNorm)
		}
		if m.severalVectors() && !has {
			continue
		}
		w := want.floats(name) // which fails where there is none of them
		r.near(name, e.Data, w, relative*largest(w))
	}
}

// unit normalises every vector.
func unit(e *encoder.Embeddings) *encoder.Embeddings {
	u := *e
	u.Data = slices.Clone(e.Data)
	for v := range slices.Chunk(u.Data, u.Dim) {
		nn.NormalizeRow(v, v)
	}
	return &u
}

// compareAspect compares the outputs of a model's further inputs.
func compareAspect(ctx context.Context, r *report, path, expected, aspect string) (err error) {
	want, err := openTensors(expected)
	if err != nil {
		return err
	}
	defer want.close()
	at := func(name string) string { return aspect + "." + name }
	if aspect == "masked" {
		return compareMasked(ctx, r, path, want)
	}
	if !strings.HasPrefix(aspect, "interp_") {
		return notSupported("%s", strings.Join(want.names(at("")), ", "))
	}
	size := want.shape(at("pixel_values"))
	if len(size) != 4 {
		return fmt.Errorf("%s: %s has shape %v", want.path, at("pixel_values"), size)
	}
	m, err := openModel(path, size[2:], size[2:])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	e, err := m.encoder.ImageFeatures(ctx, want.floats(at("pixel_values")))
	if err != nil {
		return err
	}
	w := want.floats(at("image_features"))
	r.near(at("image_features"), e.Data, w, relFeatures*largest(w))
	for _, name := range want.names(at("")) {
		if !want.read[at(name)] {
			return fmt.Errorf("%s: nothing is compared with %s", want.path, at(name))
		}
	}
	return want.err
}

// compareMasked compares a model's features of texts with a mask, which it is told.
func compareMasked(ctx context.Context, r *report, path string, want *tensors) (err error) {
	m, err := load(path, want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	e, err := m.encoder.TokenFeatures(ctx, encoder.Tokens{IDs: want.ids("input_ids"), Mask: want.ids("masked.attention_mask")})
	if err != nil {
		return err
	}
	w := want.floats("masked.text_features")
	r.near("masked.text_features", e.Data, w, relFeatures*largest(w))
	for _, name := range want.names("masked.") {
		if !want.read["masked."+name] {
			return fmt.Errorf("%s: nothing is compared with masked.%s", want.path, name)
		}
	}
	return want.err
}

// compareTexts compares a model's tokenizer with the ids of texts.
func compareTexts(r *report, path, expected string, texts []string) (err error) {
	want, err := openTensors(expected)
	if err != nil {
		return err
	}
	defer want.close()
	m, err := load(path, want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	ids, shape := want.ids("input_ids"), want.shape("input_ids")
	if want.err != nil {
		return want.err
	}
	if len(shape) != 2 || shape[0] != len(texts) {
		return fmt.Errorf("%s: input_ids has shape %v for %d texts", want.path, shape, len(texts))
	}
	mask := want.mask(shape)
	for i, text := range texts {
		row := ids[i*shape[1]:][:shape[1]]
		n := slices.Index(mask[i*shape[1]:][:shape[1]], 0)
		if n < 0 {
			n = len(row)
		}
		got, err := m.tokens(text, shape[1])
		if err != nil {
			return err
		}
		same(r, fmt.Sprintf("ids of %q", text), got, row[:n])
	}
	return want.err
}

// comparePixelValues compares a model's preprocessing with the pixels of pictures,
// whose files lie in the tree's preprocess/images. They were made by torchvision,
// whose resizing differs from Pillow's by one step of 255 at most.
func comparePixelValues(r *report, path, expected, root string, pictures []string) (err error) {
	want, err := openTensors(expected)
	if err != nil {
		return err
	}
	defer want.close()
	m, err := load(path, want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	p := m.encoder.Config().Preprocess
	pixels := want.floats("pixel_values")
	each := 3 * p.Size[0] * p.Size[1]
	if want.err != nil || len(pixels) != each*len(pictures) {
		return errors.Join(want.err, wrongInput(want, "pixel_values", "%d pictures of %v", len(pictures), p.Size))
	}
	step := 1 / (255 * float64(min(p.Std[0], p.Std[1], p.Std[2])))
	for i, name := range pictures {
		img, err := decodeFile(filepath.Join(root, "preprocess", "images", name), false)
		if err != nil {
			return err
		}
		got := make([]float32, each)
		if err := p.Image(got, img); err != nil {
			return err
		}
		r.near("pixels of "+name, got, pixels[i*each:][:each], 1.001*step)
	}
	return want.err
}

// compareGrids compares a model's features of pictures of several grids at once.
func compareGrids(ctx context.Context, r *report, path, expected string) (err error) {
	want, err := openTensors(expected)
	if err != nil {
		return err
	}
	defer want.close()
	m, err := openModel(path, nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	patches, shape := want.floats("patches"), want.shape("patches")
	coords, valid := want.ids("patch_coord"), want.bytes("patch_valid")
	if want.err != nil {
		return want.err
	}
	// A grid is one more than the largest coordinates, and its patches are row-major.
	grids := make([][2]int, shape[0])
	for i := range grids {
		g, n := &grids[i], 0
		for j := range shape[1] {
			if at := i*shape[1] + j; valid[at] != 0 {
				*g, n = [2]int{max(g[0], int(coords[2*at])+1), max(g[1], int(coords[2*at+1])+1)}, n+1
			}
		}
		for j := range n {
			at := i*shape[1] + j
			if n != g[0]*g[1] || valid[at] == 0 || int(coords[2*at]) != j/g[1] || int(coords[2*at+1]) != j%g[1] {
				return notSupported("picture %d: %d patches in another order than rows of a grid of %v", i, n, *g)
			}
		}
	}
	e, err := m.encoder.PatchFeatures(ctx, patches, grids)
	if err != nil {
		return err
	}
	m.features(r, want, e, relFeatures, "image_features")
	return want.finish()
}

// logits is scale·image·textᵀ + bias.
func logits(images, texts *encoder.Embeddings, scale, bias float64) []float32 {
	out := make([]float32, 0, images.N*texts.N)
	for i := range images.N {
		for j := range texts.N {
			out = append(out, float32(scale*images.Cosine(i, texts.Row(j))+bias))
		}
	}
	return out
}
