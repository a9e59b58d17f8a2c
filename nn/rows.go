package nn

import G "gorgonia.org/gorgonia"

// Rows is rows from to from+n−1 of x, along its first dimension: (R, …) → (n,
// …).
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

// Columns is columns from to from+n−1 of x, along its last dimension: (…, C) →
// (…, n).
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

// JoinColumns puts the columns of its inputs side by side: (…, C₁), (…, C₂), … →
// (…, C₁+C₂+…).
func JoinColumns(xs ...*G.Node) *G.Node {
	if len(xs) == 0 || len(xs[0].Shape()) < 1 {
		Fail("join columns", "nothing to join")
	}
	cols := 0
	for _, x := range xs {
		s := x.Shape()
		if len(s) != len(xs[0].Shape()) || !withLast(s, 1).Eq(withLast(xs[0].Shape(), 1)) {
			Fail("join columns", "shapes %v and %v differ in more than their columns", xs[0].Shape(), s)
		}
		cols += s[len(s)-1]
	}
	rows, _ := rowsOf(xs[0].Shape())
	var back []Pullback
	from := 0
	for _, x := range xs {
		at, n := from, x.Shape()[len(x.Shape())-1]
		from += n
		back = append(back, Back(func(dx []float32, _ Inputs, _, dy []float32) {
			for i := range rows {
				copy(dx[i*n:][:n], dy[i*cols+at:])
			}
		}).Reads())
	}
	return Apply(Op{
		Name:  "join columns",
		Shape: withLast(xs[0].Shape(), cols),
		Forward: func(y []float32, x Inputs) {
			spans(rows, cols, func(from, to int) {
				at := 0
				for j := range xs {
					in := x.F32(j)
					n := len(in) / rows
					for i := from; i < to; i++ {
						copy(y[i*cols+at:][:n], in[i*n:])
					}
					at += n
				}
			})
		},
		Backward: back,
	}, xs...)
}
