package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// Linear is y = x·Wᵀ + b over the last dimension.
type Linear struct {
	Weight *Param // (out, in), or with ones behind
	Bias   *Param // (out); nil for none
}

// NewLinear returns a linear layer of zeros named name.weight and name.bias.
func NewLinear(name string, in, out int) *Linear { return namedLinear(name+".", in, out) }

// namedLinear takes the dot before "weight" and "bias" from the caller: PyTorch's
// packed projections are called in_proj_weight.
func namedLinear(prefix string, in, out int) *Linear {
	l := &Linear{Weight: NewParam(prefix+"weight", out, in), Bias: NewParam(prefix+"bias", out)}
	l.Weight.matrix = true
	return l
}

// NewPointwise is [NewLinear] for what PyTorch has as a convolution of 1×1: the weight
// is (out, in, 1, 1).
func NewPointwise(name string, in, out int) *Linear {
	l := NewLinear(name, in, out)
	l.Weight.Shape = []int{out, in, 1, 1}
	return l
}

// NewWeight is a linear layer of zeros without bias, whose weight has the name alone, such
// as PyTorch's in_proj_weight.
func NewWeight(name string, in, out int) *Linear {
	l := &Linear{Weight: NewParam(name, out, in)}
	l.Weight.matrix = true
	return l
}

// Params lists the layer's parameters, without those of an adapter.
func (l *Linear) Params() []*Param {
	if l.Bias == nil {
		return []*Param{l.Weight}
	}
	return []*Param{l.Weight, l.Bias}
}

// Forward maps (…, in) to (…, out).
func (l *Linear) Forward(x *G.Node) *G.Node {
	switch {
	case l.Bias == nil && l.Weight.Halves():
		return projectHalves(l.Weight, x)
	case l.Bias == nil:
		return l.forward(x, l.Weight.Node(x.Graph()))
	}
	return l.ForwardWith(x, l.Bias.Node(x.Graph()))
}

// ForwardWith is [Linear.Forward] with another bias, (out).
func (l *Linear) ForwardWith(x, bias *G.Node) *G.Node {
	if l.Weight.Halves() {
		return projectHalves(l.Weight, x, bias)
	}
	return l.forward(x, l.Weight.Node(x.Graph()), bias)
}

// NewPacked is [NewWeight] for several layers in one, of which [Linear.ForwardRows] reads a
// part. Its products stay float32; see [Param.Quantize].
func NewPacked(name string, in, out int) *Linear {
	l := NewWeight(name, in, out)
	l.Weight.cut = true
	return l
}

// ForwardRows is [Linear.ForwardWith] of the outputs from to from+n−1 alone, of a layer of
// [NewPacked]: (…, in), (n) → (…, n).
func (l *Linear) ForwardRows(x, bias *G.Node, from, n int) *G.Node {
	g := x.Graph()
	y := Project(x, Rows(l.Weight.Node(g), from, n), bias)
	if a := l.Weight.adapter; a != nil {
		y = Add(y, lowRank(x, a.A.Node(g), Rows(a.B.Node(g), from, n), a.Scale))
	}
	return y
}

func (l *Linear) forward(x *G.Node, weights ...*G.Node) *G.Node {
	in := append([]*G.Node{x}, weights...)
	y := project("linear", kernel.NT, l.Weight, in...)
	if a := l.Weight.adapter; a != nil {
		y = Add(y, a.forward(x))
	}
	return y
}

// Project is [Linear] on nodes, x·wᵀ + b: (…, in), (out, in), (out) → (…, out).
func Project(x, w, b *G.Node) *G.Node { return project("linear", kernel.NT, nil, x, w, b) }

// MatMul is x·w over the last dimension of x: (…, in) × (in, out) → (…, out).
func MatMul(x, w *G.Node) *G.Node { return project("matmul", kernel.NN, nil, x, w) }

// project is x·op(w) (+ b), with w stored (out, in) for NT and (in, out) for NN.
// Where w is the leaf of a parameter of its own, the product may use what that
// keeps packed.
func project(name string, layout kernel.Layout, weight *Param, in ...*G.Node) *G.Node {
	x, w := in[0], in[1]
	xs, ws := x.Shape(), w.Shape()
	if len(ws) == 4 && ws[2] == 1 && ws[3] == 1 {
		ws = ws[:2]
	}
	if len(xs) < 2 || len(ws) != 2 {
		Fail(name, "input %v and weight %v, want (…, in) and a matrix", xs, ws)
	}
	rows, k := rowsOf(xs)
	wk, n := ws[0], ws[1]
	if layout == kernel.NT {
		wk, n = ws[1], ws[0]
	}
	if wk != k {
		Fail(name, "input %v ends in %d, weight %v takes %d", xs, k, ws, wk)
	}
	flip := kernel.NN
	if layout == kernel.NN {
		flip = kernel.NT
	}
	dx := Back(func(dx []float32, x Inputs, _, dy []float32) {
		kernel.Gemm(flip, rows, k, n, 1, dy, n, x.F32(1), ws[1], 0, dx, k)
	}).Reads(1)
	dx.parts = func(dx []float32, x Inputs, dy []float32, next step) {
		kernel.GemmBiasThen(flip, rows, k, n, dy, n, x.F32(1), ws[1], nil, dx, k, blocksOf(dx, k, next))
	}
	back := []Pullback{
		dx,
		Back(func(dw []float32, x Inputs, _, dy []float32) {
			if layout == kernel.NT {
				kernel.Gemm(kernel.TN, n, k, rows, 1, dy, n, x.F32(0), k, 0, dw, k)
			} else {
				kernel.Gemm(kernel.TN, k, n, rows, 1, x.F32(0), k, dy, n, 0, dw, n)
			}
		}).Reads(0),
	}
	var both *joint // of weight and bias
	if len(in) == 3 {
		WantShape(name, "bias", in[2], n)
		if layout == kernel.NT {
			both = &joint{inputs: []int{1, 2}, reads: []int{0}, fn: func(d [][]float32, x Inputs, dy []float32, _ step) {
				kernel.GemmTNSum(n, k, rows, dy, n, x.F32(0), k, d[0], k, d[1])
			}}
		}
		back = append(back, Back(func(db []float32, _ Inputs, _, dy []float32) {
			kernel.ColSum(db, dy, rows, n)
		}).Reads())
	}
	product := func(y []float32, x Inputs, next step) {
		var bias []float32
		if len(x) == 3 {
			bias = x.F32(2)
		}
		multiply(weight, layout, rows, n, k, x.F32(0), x.F32(1), bias, y, blocksOf(y, n, next))
	}
	return Apply(Op{
		Name:     name,
		Shape:    withLast(xs, n),
		Forward:  func(y []float32, x Inputs) { product(y, x, nil) },
		parts:    product,
		Backward: back,
		joint:    both,
	}, in...)
}

// rowsOf splits a shape into the number of its rows and their length.
func rowsOf(s tensor.Shape) (rows, cols int) {
	cols = s[len(s)-1]
	return size(s[:len(s)-1]), cols
}

func withLast(s tensor.Shape, n int) tensor.Shape {
	out := s.Clone()
	out[len(out)-1] = n
	return out
}
