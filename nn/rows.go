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

// Columns is the n columns of x from the given one on, along its last dimension:
// (…, C) → (…, n).
func Columns(x *G.Node, from, n int) *G.Node {
	s := x.Shape()
	if len(s) < 1 || from < 0 || n < 1 || from > s[len(s)-1]-n {
		Fail("columns", "%d from %d on of %v", n, from, s)
	}
	rows, cols := rowsOf(s)
	return Apply(Op{
		Name:  "columns",
		Shape: withLast(s, n),
		Forward: func(y []float32, x Inputs) {
			for i := range rows {
				copy(y[i*n:][:n], x.F32(0)[i*cols+from:])
			}
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			clear(dx)
			for i := range rows {
				copy(dx[i*cols+from:][:n], dy[i*n:])
			}
		}).Reads()},
	}, x)
}
