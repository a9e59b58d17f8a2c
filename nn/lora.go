package nn

import (
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// LoRA is an update of low rank R that a linear layer adds to its output,
// Scale·x·Aᵀ·Bᵀ (Hu et al., 2022). Its weight stays as it is and needs no gradient.
type LoRA struct {
	A, B  *Param // (R, in) and (out, R)
	Scale float32
}

// Adapt gives the layer an update that is zero at first. A is initialised as
// PEFT does, B to zeros; both are without memory yet.
func (l *Linear) Adapt(rank int, scale float64) {
	out, in := l.Weight.Shape[0], l.Weight.Shape[1]
	module := strings.TrimSuffix(strings.TrimSuffix(l.Weight.Name, "weight"), "_")
	module = strings.TrimSuffix(module, ".")
	l.LoRA = &LoRA{
		A:     NewParam(module+".lora_A.weight", rank, in).Uniform(isqrt(in)),
		B:     NewParam(module+".lora_B.weight", out, rank),
		Scale: float32(scale),
	}
}

// Params lists A and B.
func (a *LoRA) Params() []*Param { return []*Param{a.A, a.B} }

// Merge adds the update to the weight, W + Scale·B·A, and takes it off.
func (l *Linear) Merge() {
	a := l.LoRA
	out, in, rank := a.B.Shape[0], a.A.Shape[1], a.A.Shape[0]
	w := make([]float32, out*in)
	copy(w, l.Weight.Data)
	kernel.Gemm(kernel.NN, out, in, rank, a.Scale, a.B.Data, rank, a.A.Data, in, 1, w, in)
	l.Weight.set(w)
	l.LoRA = nil
}

// Forward maps (…, in) to the update, (…, out).
func (a *LoRA) Forward(x *G.Node) *G.Node {
	return lowRank(x, a.A.Node(x.Graph()), a.B.Node(x.Graph()), a.Scale)
}

func lowRank(x, a, b *G.Node, by float32) *G.Node {
	h := scale(project("lora", kernel.NT, nil, x, a), by) // (…, R)
	return project("lora", kernel.NT, nil, h, b)          // (…, out)
}

func scale(x *G.Node, by float32) *G.Node {
	times := func(dst, src []float32) {
		for i, v := range src {
			dst[i] = by * v
		}
	}
	return Apply(Op{
		Name:     "scale",
		Shape:    x.Shape(),
		Forward:  func(y []float32, x Inputs) { times(y, x.F32(0)) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) { times(dx, dy) }).Reads()},
	}, x)
}
