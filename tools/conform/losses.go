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
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

// Tolerances of a loss and its gradients. A number w may be off by
//
//	relLosses·|w| + max(absLosses, 4·u·Z)·max(1, size)
//
// where u = 2⁻²⁴ is the rounding error of float32, Z the largest that a logit can be
// apart from the bias, scale·‖image‖·‖text‖, and size the largest gradient where w is one.
// The product 4·u·Z is what a cosine's last place is worth as a logit, for ours and for
// the reference's, each rounded twice: two sums of the same products in another order
// differ by as much, and both are right. A loss passes it on, since the sum of
// |∂loss/∂logit| is about 1; a gradient is a sum of weights such as a softmax's, whose
// relative error is a logit's absolute one. At a scale of 100 it is 2.4e-5, below one of
// 4 absLosses is more.
const (
	relLosses = 2e-6
	absLosses = 1e-6
	roundoff  = 1.0 / (1 << 24)
)

// lossTolerance allows for a case with logits of the given size.
type lossTolerance struct{ logit float64 }

func newLossTolerance(scale float64, image, text []float32, dim int) lossTolerance {
	return lossTolerance{scale * longest(image, dim) * longest(text, dim)}
}

// longest is the largest norm of x's rows.
func longest(x []float32, dim int) float64 {
	var most float64
	for row := range slices.Chunk(x, max(dim, 1)) {
		most = math.Max(most, math.Sqrt(float64(kernel.Dot(row, row))))
	}
	return most
}

func (t lossTolerance) of(want, size float64) float64 {
	return relLosses*math.Abs(want) + math.Max(absLosses, 4*roundoff*t.logit)*math.Max(1, size)
}

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
		cases = append(cases, testCase{"losses", "gradients/losses " + name, func(_ context.Context, r *report) error {
			f, err := openTensors(path)
			if err != nil {
				return err
			}
			defer f.close()
			if value, ok := listed[name]; ok {
				want := f.scalar(name + ".loss") // the same in float32
				r.number("loss in losses.json", value, want, relLosses*math.Abs(want)+absLosses)
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
	tol := newLossTolerance(float64(scale[0]), image, text, shape[1])
	// Sums that cancel: what float32 loses goes with the largest.
	r.near("logits_per_image", got, want, tol.of(largest(want), 1))
	for i, what := range []string{
		"loss", "logit_scale_exp", "grad_image_features", "grad_text_features",
		"grad_logit_scale_param", "grad_logit_scale_exp", "grad_logit_bias",
	}[:len(values)] {
		want, size := f.floats(at(what)), 1.0
		if strings.HasPrefix(what, "grad_") {
			size = largest(want)
		}
		each(r, what, values[i], want, func(w float64) float64 { return tol.of(w, size) })
	}
	for _, tensor := range f.names(name + ".") {
		if !f.read[at(tensor)] {
			return fmt.Errorf("%s: nothing is compared with %s", f.path, at(tensor))
		}
	}
	return f.err
}

// each is near with the tolerance of each number of its own.
func each(r *report, what string, got, want []float32, tol func(want float64) float64) {
	one := &report{}
	for i := range min(len(got), len(want)) {
		one.number(fmt.Sprintf("%s[%d]", what, i), float64(got[i]), float64(want[i]), tol(float64(want[i])))
	}
	if len(got) != len(want) || len(one.all) == 0 {
		r.mismatch(what, "got %d numbers, want %d", len(got), len(want))
		return
	}
	r.all = append(r.all, one.worst())
}
