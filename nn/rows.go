package nn

import G "gorgonia.org/gorgonia"

// Rows is the n rows of x from the given one on, along its first dimension:
// (R, …) → (n, …).
func Rows(x *G.Node, from, n int) *G.Node {
	s := x.Shape().Clone()
	if len(s) < 1 || from < 0 || n < 1 || from > s[0]-n {
		Fail("rows", "%d from %d on of %v", n, from, x.Shape())
	}
	each := size(s[1:])
	s[0] = n
	return Apply(Op{
		Name:    "rows",
		Shape:   s,
		Forward: func(y []float32, x Inputs) { copy(y, x.F32(0)[from*each:]) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			clear(dx)
			copy(dx[from*each:], dy)
		})},
	}, x)
}
