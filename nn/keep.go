package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// Keep selects tokens of each sample: the leading ones, first of them, and of
// those after them the ones at the indices at, counted from 0 (patch dropout):
// (B, L, W), (B, K) int32 → (B, first+K, W).
func Keep(x, at *G.Node, first int) *G.Node {
	b, l, w := tokens("keep", x)
	WantShape("keep", "positions", at, b, -1)
	k := at.Shape()[1]
	if first < 0 || first > l || k < 1 {
		Fail("keep", "the first %d and %d others of %d tokens", first, k, l)
	}
	// each visits the rows that come of one another, kept of the output and from
	// of the input.
	each := func(in Inputs, f func(kept, from int)) {
		for i := range b {
			for j := range first + k {
				t := j
				if j >= first {
					if t = first + int(in.I32(1)[i*k+j-first]); t < first || t >= l {
						Fail("keep", "position %d of sample %d is outside its %d tokens", t-first, i, l-first)
					}
				}
				f((i*(first+k)+j)*w, (i*l+t)*w)
			}
		}
	}
	return Apply(Op{
		Name:  "keep",
		Shape: tensor.Shape{b, first + k, w}, // (B, first+K, W)
		Forward: func(y []float32, in Inputs) {
			each(in, func(kept, from int) { copy(y[kept:][:w], in.F32(0)[from:]) })
		},
		Backward: []Pullback{Back(func(dx []float32, in Inputs, _, dy []float32) {
			clear(dx)
			each(in, func(kept, from int) { kernel.Axpy(dx[from:][:w], 1, dy[kept:][:w]) })
		}), {}},
	}, x, at)
}
