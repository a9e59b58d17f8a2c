package nn

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// SigmoidGate is x·sigmoid(g), elementwise: g gates x.
func SigmoidGate(g, x *G.Node) *G.Node {
	if !g.Shape().Eq(x.Shape()) {
		Fail("sigmoid gate", "shapes %v and %v differ", g.Shape(), x.Shape())
	}
	n := size(x.Shape())
	open := make([]float32, n) // sigmoid(g)
	return Apply(Op{
		Name:  "sigmoid gate",
		Shape: x.Shape(),
		Forward: func(y []float32, in Inputs) {
			g, x := in.F32(0), in.F32(1)
			spans(n, 1, func(from, to int) {
				open := open[from:to]
				for i, v := range g[from:to] {
					open[i] = -v
				}
				kernel.Exp(open, open)
				for i, v := range open {
					open[i] = 1 / (1 + v)
					y[from+i] = x[from+i] * open[i]
				}
			})
		},
		Backward: []Pullback{
			Back(func(dg []float32, in Inputs, _, dy []float32) {
				for i, x := range in.F32(1) {
					dg[i] = dy[i] * x * open[i] * (1 - open[i])
				}
			}).Reads(1),
			Back(func(dx []float32, _ Inputs, _, dy []float32) {
				for i, v := range open {
					dx[i] = dy[i] * v
				}
			}).Reads(),
		},
	}, g, x)
}

// Tanh is the hyperbolic tangent, elementwise.
func Tanh(x *G.Node) *G.Node {
	return Apply(Op{
		Name:  "tanh",
		Shape: x.Shape(),
		Forward: func(y []float32, x Inputs) {
			for i, v := range x.F32(0) {
				y[i] = float32(math.Tanh(float64(v)))
			}
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, y, dy []float32) {
			for i, v := range y {
				dx[i] = dy[i] * (1 - v*v)
			}
		})},
	}, x)
}
