package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// QVBias is the bias of packed queries, keys and values, (3W), from the biases of
// queries and of values, (W) each, and zeros for the keys. A bias of the keys would
// change nothing: it adds the same number to all scores of a query.
func QVBias(q, v *G.Node) *G.Node {
	WantShape("q and v bias", "q bias", q, -1)
	w := q.Shape()[0]
	WantShape("q and v bias", "v bias", v, w)
	return Apply(Op{
		Name:  "q and v bias",
		Shape: tensor.Shape{3 * w}, // (3W)
		Forward: func(y []float32, x Inputs) {
			copy(y, x.F32(0))
			clear(y[w : 2*w])
			copy(y[2*w:], x.F32(1))
		},
		Backward: []Pullback{
			Back(func(dq []float32, _ Inputs, _, dy []float32) { copy(dq, dy) }).Reads(),
			Back(func(dv []float32, _ Inputs, _, dy []float32) { copy(dv, dy[2*w:]) }).Reads(),
		},
	}, q, v)
}
