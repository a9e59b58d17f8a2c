package nn

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// fold makes one convolution of the branches of a [BranchedConv]. With r = 1/√(σ²+ε) it
// has, of each branch,
//
//	scale·sign·γ·r·W          in its kernel, W in the middle of it
//	scale·sign·(β − μ·γ·r)    in its bias
//
// where W of a branch without a weight is the identity: one in the middle.
type fold struct {
	shape    []int // of the kernel, (N, C/groups, k, k)
	branches []*foldBranch
	scale    *G.Node // (N), or with ones behind; nil for 1
	residual bool    // the identity is added to the kernel

	keptKernel, keptBias *kept
}

type foldBranch struct {
	weight                      *G.Node // (N, C/groups, k, k); nil for the identity
	gamma, beta, mean, variance *G.Node // (N)
	eps, sign                   float64
}

// foldInputs are an op's inputs, which it knows by their numbers.
type foldInputs struct {
	nodes []*G.Node
	back  []Pullback
}

// add returns the input's number; −1 for none.
func (in *foldInputs) add(n *G.Node, back Pullback) int {
	if n == nil {
		return -1
	}
	in.nodes, in.back = append(in.nodes, n), append(in.back, back)
	return len(in.nodes) - 1
}

// channel returns a function that reads an input's element of each channel; 1 for none.
func channel(x Inputs, input int) func(o int) float64 {
	if input < 0 {
		return func(int) float64 { return 1 }
	}
	v := x.F32(input)
	return func(o int) float64 { return float64(v[o]) }
}

// check fails where nodes do not fit.
func (f *fold) check() {
	n := f.shape[0]
	if f.scale != nil {
		wantChannels("branched convolution", "scale", f.scale, n)
	}
	for _, b := range f.branches {
		for what, v := range map[string]*G.Node{"weight": b.gamma, "bias": b.beta, "running mean": b.mean, "running variance": b.variance} {
			WantShape("branched convolution", what, v, n)
		}
		if b.weight == nil {
			continue
		}
		s := b.weight.Shape()
		WantShape("branched convolution", "kernel", b.weight, n, f.shape[1], -1, -1)
		if s[2] != s[3] || s[2]%2 == 0 || s[2] > f.shape[2] {
			Fail("branched convolution", "a kernel %v within one of %v", s, f.shape)
		}
	}
}

// each visits the elements of a branch's weight: of output o, number w of the weight, and
// number at of the kernel. The identity's have no number.
func (f *fold) each(b *foldBranch, visit func(o, w, at int)) {
	n, in, size := f.shape[0], f.shape[1], f.shape[2]
	if b.weight == nil {
		for o := range n {
			visit(o, -1, f.middle(o))
		}
		return
	}
	small := b.weight.Shape()[2]
	pad := (size - small) / 2
	for i := range n * in {
		for t := range small * small {
			visit(i/in, i*small*small+t, i*size*size+(pad+t/small)*size+pad+t%small)
		}
	}
}

// middle is the number of the kernel's element by which an output sees its own input.
func (f *fold) middle(o int) int {
	in, size := f.shape[1], f.shape[2]
	return (o*in+o%in)*size*size + size*size/2
}

// kernel is the node of the kernel, (N, C/groups, k, k).
func (f *fold) kernel() *G.Node {
	f.check()
	var in foldInputs
	var sums []func(x Inputs, visit func(o, at int, v float64)) // elements of a branch, but for scale
	var scale int
	for _, b := range f.branches {
		var weight, gamma, variance int
		rstd := func(x Inputs) func(o int) float64 {
			v := channel(x, variance)
			return func(o int) float64 { return b.sign / math.Sqrt(v(o)+b.eps) }
		}
		values := func(x Inputs) func(w int) float64 {
			if weight < 0 {
				return func(int) float64 { return 1 }
			}
			return channel(x, weight)
		}
		weight = in.add(b.weight, Back(func(dw []float32, x Inputs, _, dk []float32) {
			scale, gamma, rstd := channel(x, scale), channel(x, gamma), rstd(x)
			f.each(b, func(o, w, at int) { dw[w] = float32(scale(o) * gamma(o) * rstd(o) * float64(dk[at])) })
		}))
		gamma = in.add(b.gamma, Back(func(dg []float32, x Inputs, _, dk []float32) {
			scale, value, rstd := channel(x, scale), values(x), rstd(x)
			sum := make([]float64, len(dg))
			f.each(b, func(o, w, at int) { sum[o] += value(w) * float64(dk[at]) })
			for o := range dg {
				dg[o] = float32(scale(o) * rstd(o) * sum[o])
			}
		}))
		variance = in.add(b.variance, Pullback{})
		sums = append(sums, func(x Inputs, visit func(o, at int, v float64)) {
			gamma, value, rstd := channel(x, gamma), values(x), rstd(x)
			f.each(b, func(o, w, at int) { visit(o, at, gamma(o)*rstd(o)*value(w)) })
		})
	}
	scale = in.add(f.scale, Back(func(ds []float32, x Inputs, _, dk []float32) {
		sum := make([]float64, len(ds))
		for _, each := range sums {
			each(x, func(o, at int, v float64) { sum[o] += v * float64(dk[at]) })
		}
		for o := range ds {
			ds[o] = float32(sum[o])
		}
	}))
	return f.keptKernel.node(Op{
		Name:  "folded kernel",
		Shape: tensor.Shape(f.shape), // (N, C/groups, k, k)
		Forward: func(y []float32, x Inputs) {
			scale, sum := channel(x, scale), make([]float64, len(y))
			for _, each := range sums {
				each(x, func(o, at int, v float64) { sum[at] += scale(o) * v })
			}
			for o := 0; f.residual && o < f.shape[0]; o++ {
				sum[f.middle(o)]++
			}
			for i, v := range sum {
				y[i] = float32(v)
			}
		},
		Backward: in.back,
	}, in.nodes)
}

// bias is the node of the bias, (N).
func (f *fold) bias() *G.Node {
	var in foldInputs
	var shifts []func(x Inputs) func(o int) float64 // a branch's, but for scale
	var scale int
	for _, b := range f.branches {
		var gamma, beta, mean, variance int
		slope := func(x Inputs) func(o int) float64 { // of the bias by γ
			mean, variance := channel(x, mean), channel(x, variance)
			return func(o int) float64 { return -b.sign * mean(o) / math.Sqrt(variance(o)+b.eps) }
		}
		gamma = in.add(b.gamma, Back(func(dg []float32, x Inputs, _, db []float32) {
			scale, slope := channel(x, scale), slope(x)
			for o := range dg {
				dg[o] = float32(scale(o) * slope(o) * float64(db[o]))
			}
		}))
		beta = in.add(b.beta, Back(func(dbeta []float32, x Inputs, _, db []float32) {
			scale := channel(x, scale)
			for o := range dbeta {
				dbeta[o] = float32(scale(o) * b.sign * float64(db[o]))
			}
		}))
		mean, variance = in.add(b.mean, Pullback{}), in.add(b.variance, Pullback{})
		shifts = append(shifts, func(x Inputs) func(o int) float64 {
			gamma, beta, slope := channel(x, gamma), channel(x, beta), slope(x)
			return func(o int) float64 { return b.sign*beta(o) + gamma(o)*slope(o) }
		})
	}
	total := func(x Inputs, dst []float32, times func(o int) float64) {
		sum := make([]float64, len(dst))
		for _, shift := range shifts {
			shift := shift(x)
			for o := range sum {
				sum[o] += shift(o)
			}
		}
		for o := range dst {
			dst[o] = float32(times(o) * sum[o])
		}
	}
	scale = in.add(f.scale, Back(func(ds []float32, x Inputs, _, db []float32) {
		total(x, ds, func(o int) float64 { return float64(db[o]) })
	}))
	return f.keptBias.node(Op{
		Name:     "folded bias",
		Shape:    tensor.Shape{f.shape[0]}, // (N)
		Forward:  func(y []float32, x Inputs) { total(x, y, channel(x, scale)) },
		Backward: in.back,
	}, in.nodes)
}
