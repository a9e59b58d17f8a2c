package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// SwiGLU is the hidden layer of a gated MLP (Shazeer, 2020), silu(g)·x elementwise: g
// gates x.
func SwiGLU(g, x *G.Node) *G.Node {
	if !g.Shape().Eq(x.Shape()) {
		Fail("swiglu", "shapes %v and %v differ", g.Shape(), x.Shape())
	}
	return Mul(SiLU(g), x)
}

// SiLU is x·sigmoid(x), elementwise.
func SiLU(x *G.Node) *G.Node {
	return activate("silu", kernel.SiLU, x)
}

// Mul is the product of two tensors of one shape, elementwise.
func Mul(a, b *G.Node) *G.Node {
	if !a.Shape().Eq(b.Shape()) {
		Fail("mul", "shapes %v and %v differ", a.Shape(), b.Shape())
	}
	by := func(input int) func(Inputs) step {
		return func(x Inputs) step {
			v := x.F32(input)
			return func(dst []float32, at int) { kernel.Mul(dst, dst, v[at:][:len(dst)]) }
		}
	}
	return Apply(Op{
		Name:    "mul",
		Shape:   a.Shape(),
		Forward: func(y []float32, x Inputs) { kernel.Mul(y, x.F32(0), x.F32(1)) },
		Backward: []Pullback{
			Back(func(dx []float32, x Inputs, _, dy []float32) { kernel.Mul(dx, x.F32(1), dy) }).Reads(1),
			Back(func(dx []float32, x Inputs, _, dy []float32) { kernel.Mul(dx, x.F32(0), dy) }).Reads(0),
		},
		inPlace: []func(Inputs) step{by(1), by(0)},
	}, a, b)
}
