package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// Tolerances of what a model computes, for expected values in float32: relative
// to the largest number of the tensor where so named, else absolute.
const (
	relFeatures       = 1e-5
	relFeaturesResNet = 3e-5
	relIntermediates  = 2e-5
	relScale          = 1e-6
	absNorm           = 5e-6
	absLogits         = 1e-4
)

// modelCases pairs every file of weights with its model's activations.
func modelCases(dir, _ string) ([]testCase, error) {
	checkpoints, activations := filepath.Join(dir, "checkpoints"), filepath.Join(dir, "activations")
	names, err := listed(checkpoints)
	if err != nil {
		return nil, err
	}
	var cases []testCase
	for _, name := range names {
		folder := filepath.Join(checkpoints, name)
		weights, strange := weightFiles(folder)
		prefix := "checkpoints/" + name
		for _, file := range strange {
			cases = append(cases, broken(prefix+"/"+file, errors.New("no case uses this file")))
		}
		if len(weights) == 0 {
			cases = append(cases, broken(prefix, errors.New("no weights are here")))
		}
		expected := filepath.Join(activations, name)
		for _, file := range weights {
			path, id := filepath.Join(folder, file), prefix+"/"+file
			cases = append(cases, testCase{id, func(ctx context.Context, r *report) error {
				return compareModel(ctx, r, path, expected+".safetensors")
			}})
			if stages := expected + ".intermediates.safetensors"; exists(stages) {
				cases = append(cases, testCase{id + " intermediates", func(_ context.Context, r *report) error {
					return compareStages(r, path, stages)
				}})
			}
		}
	}
	cases = append(cases, strangers(checkpoints, "checkpoints", func(file string) bool {
		return file == "index.json" || slices.Contains(names, file)
	})...)
	return append(cases, strangers(activations, "activations", func(file string) bool {
		stem, ok := strings.CutSuffix(file, ".safetensors")
		return ok && slices.Contains(names, strings.TrimSuffix(stem, ".intermediates"))
	})...), nil
}

// listed returns the models of a folder: the folders in it, and what its
// index.json promises.
func listed(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		stat, err := os.Stat(filepath.Join(dir, e.Name())) // follows links
		if err != nil {
			return nil, err
		}
		if stat.IsDir() && !document(e.Name()) {
			names = append(names, e.Name())
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, os.ErrNotExist) {
		return names, nil
	}
	var index map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(b, &index)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoints/index.json: %w", err)
	}
	for name := range index {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

var shard = regexp.MustCompile(`-\d+-of-\d+\.safetensors$`)

// weightFiles returns the files of a model's folder that can be loaded, and
// those of no known kind. Shards are loaded by their index.
func weightFiles(dir string) (weights, strange []string) {
	files := list(dir)
	sharded := slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, ".index.json") })
	for _, f := range files {
		switch ext := filepath.Ext(f); {
		case sharded && shard.MatchString(f), document(f), f == vocabName:
		case strings.HasSuffix(f, ".index.json"), slices.Contains([]string{".safetensors", ".pt", ".pth", ".bin"}, ext):
			weights = append(weights, f)
		case ext == ".json", ext == ".txt": // of the programs that wrote the weights
		default:
			strange = append(strange, f)
		}
	}
	return weights, strange
}

// load opens a model. Where a Hugging Face folder does not say how pictures are
// preprocessed any answer will do: the inputs here are pixels.
func load(path string, want *tensors) (*encoder.Model, error) {
	var opts encoder.Options
	dir := filepath.Dir(path)
	silent := exists(filepath.Join(dir, "config.json")) && !exists(filepath.Join(dir, "preprocessor_config.json"))
	if s := want.shape("pixel_values"); silent && len(s) == 4 {
		opts.Preprocess = vision.CLIPPreprocess(s[2])
		opts.Preprocess.Size = [2]int{s[2], s[3]}
	}
	return encoder.Load(path, &opts)
}

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
	defer func() { err = errors.Join(err, m.Close()) }()
	pixels, ids := want.floats("pixel_values"), want.ids("input_ids")
	if err := fits(m, want); err != nil {
		return err
	}
	images, err := m.ImageFeatures(ctx, pixels)
	if err != nil {
		return err
	}
	texts, err := m.TextFeatures(ctx, ids)
	if err != nil {
		return err
	}
	relative := relFeatures
	if m.Config().Vision.Family() == "resnet" {
		relative = relFeaturesResNet
	}
	feature := func(name string, e *encoder.Embeddings, relative float64) {
		w := want.floats(name)
		r.near(name, e.Data, w, relative*largest(w))
		for i := range e.N {
			nn.NormalizeRow(e.Row(i), e.Row(i))
		}
		r.near(name+"_norm", e.Data, want.floats(name+"_norm"), absNorm)
	}
	feature("image_features", images, relative)
	feature("text_features", texts, relFeatures)

	scale := math.Exp(float64(m.LogitScale().Data[0]))
	w := want.scalar("logit_scale_exp")
	r.number("logit_scale_exp", scale, w, relScale*w)
	bias := 0.0
	if b := m.LogitBias(); b != nil {
		bias = float64(b.Data[0])
		w := want.scalar("logit_bias")
		r.number("logit_bias", bias, w, relScale*math.Abs(w))
	}
	r.near("logits_per_image", logits(images, texts, scale, bias), want.floats("logits_per_image"), absLogits)
	r.near("logits_per_text", logits(texts, images, scale, bias), want.floats("logits_per_text"), absLogits)
	return want.finish()
}

// fits checks the shapes of a model's inputs, which a multiple of them would
// hide.
func fits(m *encoder.Model, want *tensors) error {
	cfg := m.Config()
	size := cfg.Vision.Dims().ImageSize
	pixels, ids := want.shape("pixel_values"), want.shape("input_ids")
	switch {
	case want.err != nil:
		return want.err
	case len(pixels) != 4 || !slices.Equal(pixels[1:], []int{3, size[0], size[1]}):
		return fmt.Errorf("%s: pixel_values has shape %v, the model takes (B, 3, %d, %d)", want.path, pixels, size[0], size[1])
	case len(ids) != 2 || ids[1] != cfg.Text.Dims().ContextLength:
		return fmt.Errorf("%s: input_ids has shape %v, the model takes (B, %d)", want.path, ids, cfg.Text.Dims().ContextLength)
	}
	return nil
}

// logits is scale·a·bᵀ + bias.
func logits(a, b *encoder.Embeddings, scale, bias float64) []float32 {
	out := make([]float32, 0, a.N*b.N)
	for i := range a.N {
		for j := range b.N {
			out = append(out, float32(scale*float64(kernel.Dot(a.Row(i), b.Row(j)))+bias))
		}
	}
	return out
}
