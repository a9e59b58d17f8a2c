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
	n := size(x.Shape())
	// QuickGELU has a kernel and is x·sigmoid(b·x): silu(x) = b·QuickGELU(x/b), and
	// the derivatives agree.
	const b = 1.702
	scaled := func(dst, x []float32, by float32) {
		for i, v := range x {
			dst[i] = by * v
		}
	}
	return Apply(Op{
		Name:  "silu",
		Shape: x.Shape(),
		Forward: func(y []float32, x Inputs) {
			in := x.F32(0)
			spans(n, 1, func(from, to int) {
				scaled(y[from:to], in[from:to], 1/b)
				kernel.Activate(kernel.QuickGELU, y[from:to], y[from:to])
				scaled(y[from:to], y[from:to], b)
			})
		},
		Backward: []Pullback{Back(func(dx []float32, x Inputs, _, dy []float32) {
			in := x.F32(0)
			spans(n, 1, func(from, to int) {
				at := make([]float32, to-from)
				scaled(at, in[from:to], 1/b)
				kernel.ActivateBackward(kernel.QuickGELU, dx[from:to], at, dy[from:to])
			})
		}).Reads(0)},
	}, x)
}

// Mul is the product of two tensors of one shape, elementwise.
func Mul(a, b *G.Node) *G.Node {
	if !a.Shape().Eq(b.Shape()) {
		Fail("mul", "shapes %v and %v differ", a.Shape(), b.Shape())
	}
	n := size(a.Shape())
	times := func(dst, x, y []float32) {
		spans(n, 1, func(from, to int) {
			dst, x, y := dst[from:to], x[from:to], y[from:to]
			for i, v := range x {
				dst[i] = v * y[i]
			}
		})
	}
	return Apply(Op{
		Name:    "mul",
		Shape:   a.Shape(),
		Forward: func(y []float32, x Inputs) { times(y, x.F32(0), x.F32(1)) },
		Backward: []Pullback{
			Back(func(dx []float32, x Inputs, _, dy []float32) { times(dx, x.F32(1), dy) }).Reads(1),
			Back(func(dx []float32, x Inputs, _, dy []float32) { times(dx, x.F32(0), dy) }).Reads(0),
		},
	}, a, b)
}
