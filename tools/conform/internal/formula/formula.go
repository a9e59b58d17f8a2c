// Package formula makes the weights of the reference models that are too wide to
// store. Every number follows from the name of its tensor, the shape, its position and
// a seed:
//
//	centre + amplitude · u(name, seed, i)
//
// computed in float64 and rounded once to float32. u is the i-th output of splitmix64
// (Steele et al., 2014), started from the FNV-1a hash of the name, as a number in
// [-1, 1).
package formula

import (
	"math"
	"strings"
)

// State is where the stream of a tensor starts.
func State(name string, seed uint64) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return h + seed*0xd1342543de82ef95
}

// Hash is output i of the stream.
func Hash(state uint64, i int) uint64 {
	z := state + (uint64(i)+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Rule returns the centre and amplitude of a tensor. The first case that fits counts.
func Rule(name string, shape []int) (centre, amplitude float64) {
	last := name[strings.LastIndex(name, ".")+1:]
	stem := last
	if last == "weight" {
		stem = strings.TrimSuffix(strings.TrimSuffix(name, "weight"), ".")
		stem = stem[strings.LastIndex(stem, ".")+1:]
	}
	switch {
	case name == "pixel_values":
		return 0, 2
	case name == "logit_scale":
		return 2.5, 0.25
	case name == "logit_bias":
		return -8, 2
	case last == "running_mean":
		return 0, 0.25
	case last == "running_var":
		return 1, 0.5
	case strings.HasPrefix(last, "gamma") && len(shape) > 1: // FastViT's layer scales
		return 0.125, 0.0625
	case strings.HasPrefix(last, "gamma"), last == "vr_lambda":
		return 0.5, 0.25
	case strings.Contains(stem, "embed"), strings.Contains(stem, "token"), stem == "cls_emb", stem == "latent", last == "query":
		return 0, 0.5
	case len(shape) < 2 && last == "weight":
		return 1, 0.25
	case len(shape) < 2:
		return 0, 0.125
	}
	fanIn := 1
	for _, n := range shape[1:] {
		fanIn *= n
	}
	if strings.HasSuffix(name, "SelfAttention.q.weight") {
		fanIn *= 16 // T5 does not divide its scores by the root of the head width
	}
	return 0, math.Sqrt(3 / float64(fanIn))
}

// Values makes a tensor, row-major.
func Values(name string, shape []int, seed uint64) []float32 {
	n := 1
	for _, d := range shape {
		n *= d
	}
	centre, amplitude := Rule(name, shape)
	state, x := State(name, seed), make([]float32, n)
	for i := range x {
		u := float64(Hash(state, i)>>40)*0x1p-23 - 1
		x[i] = float32(centre + float64(amplitude*u)) // the conversion forbids a fused product
	}
	return x
}
