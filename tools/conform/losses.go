package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

// Tolerances of a loss and its gradients, number by number.
const (
	relLosses = 2e-6
	absLosses = 1e-6
)

// lossCases finds the cases by the names of the tensors, infonce.ID.… and
// siglip.ID.…, and by losses.json, which has the loss once more.
func lossCases(dir string) ([]testCase, error) {
	path := filepath.Join(dir, "losses.safetensors")
	f, err := openTensors(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	listed, err := readLosses(filepath.Join(dir, "losses.json"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, tensor := range f.names("") {
		names = append(names, tensor[:max(strings.LastIndex(tensor, "."), 0)])
	}
	for name := range listed {
		names = append(names, name)
	}
	slices.Sort(names)
	var cases []testCase
	for _, name := range slices.Compact(names) {
		cases = append(cases, testCase{"gradients/losses " + name, func(_ context.Context, r *report) error {
			f, err := openTensors(path)
			if err != nil {
				return err
			}
			defer f.close()
			if value, ok := listed[name]; ok {
				want := f.scalar(name + ".loss")
				r.number("loss in losses.json", value, want, lossTolerance(want))
			}
			return compareLoss(r, f, name)
		}})
	}
	return cases, nil
}

// readLosses returns the loss of each case in losses.json, if there is one.
func readLosses(path string) (map[string]float64, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var index map[string]struct{ Loss float64 }
	if err == nil {
		err = json.Unmarshal(b, &index)
	}
	losses := make(map[string]float64)
	for name, c := range index {
		losses[name] = c.Loss
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return losses, nil
}

func lossTolerance(want float64) float64 { return relLosses*math.Abs(want) + absLosses }

func compareLoss(r *report, f *tensors, name string) error {
	var objective loss.Loss = loss.InfoNCE{}
	sigmoid := false
	switch kind, _, _ := strings.Cut(name, "."); kind {
	case "infonce":
	case "siglip":
		objective, sigmoid = loss.Sigmoid{}, true
	default:
		return fmt.Errorf("%s: a loss of an unknown kind", name)
	}
	at := func(tensor string) string { return name + "." + tensor }
	shape := f.shape(at("image_features"))
	image, text := f.floats(at("image_features")), f.floats(at("text_features"))
	param := f.floats(at("logit_scale_param"))
	bias := []float32{0}
	if sigmoid {
		bias = f.floats(at("logit_bias"))
	}
	if f.err != nil {
		return f.err
	}
	if len(shape) != 2 || len(text) != len(image) || len(param) != 1 || len(bias) != 1 {
		return fmt.Errorf("%s: %s: tensors whose shapes do not belong together", f.path, name)
	}
	values, err := compute(func(g *G.ExprGraph) ([]*G.Node, error) {
		i, t := nn.Leaf(g, "image", image, shape...), nn.Leaf(g, "text", text, shape...)
		p, b := nn.Leaf(g, "scale", param, 1), nn.Leaf(g, "bias", bias, 1)
		scale, err := loss.Scale(p)
		if err != nil {
			return nil, err
		}
		cost, err := objective.Forward(loss.Input{Image: i, Text: t, Scale: scale, Bias: b})
		if err != nil {
			return nil, err
		}
		wrt := []*G.Node{i, t, p, scale}
		if sigmoid {
			wrt = append(wrt, b)
		}
		grads, err := nn.Grad(cost, wrt...)
		return append([]*G.Node{cost, scale}, grads...), err
	})
	if err != nil {
		return err
	}
	rows := func(x []float32) *encoder.Embeddings {
		return &encoder.Embeddings{N: shape[0], Dim: shape[1], Data: x}
	}
	scale := values[1]
	got := logits(rows(image), rows(text), float64(scale[0]), float64(bias[0]))
	want := f.floats(at("logits_per_image"))
	// Sums that cancel: what float32 loses goes with the largest.
	r.near("logits_per_image", got, want, lossTolerance(largest(want)))
	for i, what := range []string{
		"loss", "logit_scale_exp", "grad_image_features", "grad_text_features",
		"grad_logit_scale_param", "grad_logit_scale_exp", "grad_logit_bias",
	}[:len(values)] {
		each(r, what, values[i], f.floats(at(what)))
	}
	for _, tensor := range f.names(name + ".") {
		if !f.read[at(tensor)] {
			return fmt.Errorf("%s: nothing is compared with %s", f.path, at(tensor))
		}
	}
	return f.err
}

// each is near with the tolerance of each number of its own.
func each(r *report, what string, got, want []float32) {
	one := &report{}
	for i := range min(len(got), len(want)) {
		one.number(fmt.Sprintf("%s[%d]", what, i), float64(got[i]), float64(want[i]), lossTolerance(float64(want[i])))
	}
	if len(got) != len(want) || len(one.all) == 0 {
		r.mismatch(what, "got %d numbers, want %d", len(got), len(want))
		return
	}
	r.all = append(r.all, one.worst())
}
