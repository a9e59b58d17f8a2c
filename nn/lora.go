package nn

import (
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// LoRA is an update of low rank R beside the weight of a linear layer, which adds
// Scale·x·Aᵀ·Bᵀ to its output (Hu et al., 2022). The weight stays as it is and needs
// no gradient.
type LoRA struct {
	A, B  *Param // (R, in) and (out, R)
	Scale float32
}

// Adaptable reports whether p is the weight of a [Linear], which takes an adapter.
func (p *Param) Adaptable() bool { return p.matrix }

// Adapter returns the adapter of p, or nil.
func (p *Param) Adapter() *LoRA { return p.adapter }

// RemoveAdapter removes the adapter of p, if it has one.
func (p *Param) RemoveAdapter() { p.adapter = nil }

// Adapt gives an adaptable p an adapter that changes nothing at first: A is
// initialised as PEFT does, B to zeros. Both have no memory before [Param.Init].
// Graphs built earlier do not contain it.
func (p *Param) Adapt(rank int, scale float64) {
	if !p.matrix || rank < 1 {
		Fail("LoRA", "rank %d for %s, want 1 or more for the weight of a linear layer", rank, p.Name)
	}
	out, in := p.Shape[0], p.Shape[1]
	module := strings.TrimSuffix(strings.TrimSuffix(p.Name, "weight"), "_")
	module = strings.TrimSuffix(module, ".")
	p.adapter = &LoRA{
		A:     NewParam(module+".lora_A.weight", rank, in).Uniform(isqrt(in)),
		B:     NewParam(module+".lora_B.weight", out, rank),
		Scale: float32(scale),
	}
}

// Params lists A and B.
func (a *LoRA) Params() []*Param { return []*Param{a.A, a.B} }

// MergeAdapter makes [Param.Merged] the weight and removes the adapter. Without one it
// does nothing.
func (p *Param) MergeAdapter() {
	if p.adapter == nil {
		return
	}
	p.set(p.Merged())
	p.adapter = nil
}

// Merged returns a copy of the weight to which the update is added, W + Scale·B·A.
func (p *Param) Merged() []float32 {
	w := slices.Clone(p.Data)
	if a := p.adapter; a != nil {
		out, in, rank := a.B.Shape[0], a.A.Shape[1], a.A.Shape[0]
		kernel.Gemm(kernel.NN, out, in, rank, a.Scale, a.B.Data, rank, a.A.Data, in, 1, w, in)
	}
	return w
}

// forward maps (…, in) to the update, (…, out).
func (a *LoRA) forward(x *G.Node) *G.Node {
	return lowRank(x, a.A.Node(x.Graph()), a.B.Node(x.Graph()), a.Scale)
}

func lowRank(x, a, b *G.Node, by float32) *G.Node {
	h := Scale(project("lora", kernel.NT, nil, x, a), by) // (…, R)
	return project("lora", kernel.NT, nil, h, b)          // (…, out)
}

// Scale is by·x, elementwise.
func Scale(x *G.Node, by float32) *G.Node {
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
