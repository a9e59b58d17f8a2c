package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Conv2D is a convolution without bias of images whose channels come last: x
// (B, H, W, C), weight (N, C, k, k) → (B, (H+2·pad−k)/stride+1, …, N). Around x
// there are pad zeros. The order of the weight is PyTorch's.
//
// Channels last makes each pixel a row: a convolution of 1×1 is one matrix
// product on x as it lies, any other is one on rows that are copied from k runs
// of k·C elements each.
func Conv2D(x, weight *G.Node, stride, pad int) *G.Node { return conv2D(x, weight, stride, pad, nil) }

// Conv is [Conv2D] with parameters, and a bias.
type Conv struct {
	Weight *Param // (N, C, k, k)
	Bias   *Param // (N); nil for none

	Stride, Pad int
}

// Forward maps (B, H, W, C) to (B, H', W', N).
func (c *Conv) Forward(x *G.Node) *G.Node {
	y := conv2D(x, c.Weight.Node(x.Graph()), c.Stride, c.Pad, c.Weight)
	if c.Bias == nil {
		return y
	}
	return AddBias(y, c.Bias.Node(x.Graph()))
}

// conv2D keeps the weight packed where it is a parameter's that never changes.
func conv2D(x, weight *G.Node, stride, pad int, param *Param) *G.Node {
	WantShape("convolution", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	WantShape("convolution", "weight", weight, -1, s[3], -1, -1)
	c := &conv{b: s[0], h: s[1], w: s[2], c: s[3], stride: stride, pad: pad, param: param}
	c.n, c.size = weight.Shape()[0], weight.Shape()[2]
	if weight.Shape()[3] != c.size || c.size < 1 || stride < 1 || pad < 0 ||
		min(c.h, c.w)+2*pad < c.size {
		Fail("convolution", "weight %v with stride %d and padding %d does not fit input %v", weight.Shape(), stride, pad, s)
	}
	c.oh, c.ow = (c.h+2*pad-c.size)/stride+1, (c.w+2*pad-c.size)/stride+1
	c.k = c.size * c.size * c.c
	op := Op{
		Name:     "convolution",
		Shape:    tensor.Shape{c.b, c.oh, c.ow, c.n}, // (B, H', W', N)
		Forward:  func(y []float32, x Inputs) { c.parts(y, x, nil) },
		Backward: []Pullback{Back(c.backwardInput), Back(c.backwardWeight)},

		parts:        c.parts,
		partsAreRows: true,
	}
	if c.size == 1 && stride == 1 && pad == 0 {
		op.Forward, op.parts = func(y []float32, x Inputs) { c.parts1x1(y, x, nil) }, c.parts1x1
		op.partsAreRows = false
		op.Backward = []Pullback{Back(c.backwardInput1x1), Back(c.backwardWeight1x1)}
	}
	return Apply(op, x, weight)
}

type conv struct {
	b, h, w, c        int // of the input
	oh, ow, n         int // of the output
	size, stride, pad int
	k                 int    // elements under the kernel
	param             *Param // of the weight; nil for none
	scratch           scratch
}

func (c *conv) rows() int { return c.b * c.oh * c.ow }

func (c *conv) parts1x1(y []float32, x Inputs, next step) {
	multiply(c.param, kernel.NT, c.rows(), c.n, c.c, x.F32(0), x.F32(1), nil, y, blocksOf(y, c.n, next))
}

func (c *conv) backwardInput1x1(dx []float32, x Inputs, _, dy []float32) {
	kernel.Gemm(kernel.NN, c.rows(), c.c, c.n, 1, dy, c.n, x.F32(1), c.c, 0, dx, c.c)
}

func (c *conv) backwardWeight1x1(dw []float32, x Inputs, _, dy []float32) {
	kernel.Gemm(kernel.TN, c.n, c.c, c.rows(), 1, dy, c.n, x.F32(0), c.c, 0, dw, c.c)
}

// packed is the weight as the products read it.
func (c *conv) packed(weight []float32) *kernel.Packed {
	pack := func() *kernel.Packed { return kernel.Pack(kernel.NT, c.n, c.k, c.channelsLast(weight), c.k) }
	p := c.param
	if p == nil || !p.mapped {
		return pack()
	}
	p.packing.Do(func() {
		p.packed = pack()
		p.Release()
	})
	return p.packed
}

func (c *conv) parts(y []float32, x Inputs, next step) {
	w := c.packed(x.F32(1))
	tile := c.tile()
	parallel.For((c.rows()+tile-1)/tile, func(i int) {
		first, n := i*tile, min(tile, c.rows()-i*tile)
		cols := c.scratch.get(tile * c.k)
		defer c.scratch.put(cols)
		c.cut(*cols, x.F32(0), first, n)
		part := y[first*c.n:][:n*c.n]
		kernel.GemmPacked(n, 1, *cols, c.k, w, nil, 0, part, c.n)
		if next != nil {
			next(part, first*c.n)
		}
	})
}

// backwardInput adds up, for each pixel, what came of the outputs that saw it.
// Only the outputs of one image meet.
func (c *conv) backwardInput(dx []float32, x Inputs, _, dy []float32) {
	w := kernel.Pack(kernel.NN, c.k, c.n, c.channelsLast(x.F32(1)), c.k)
	clear(dx)
	tile, each := c.tile(), c.oh*c.ow
	parallel.For(c.b, func(b int) {
		cols := c.scratch.get(tile * c.k)
		defer c.scratch.put(cols)
		for first := b * each; first < (b+1)*each; first += tile {
			n := min(tile, (b+1)*each-first)
			kernel.GemmPacked(n, 1, dy[first*c.n:], c.n, w, nil, 0, *cols, c.k)
			c.paste(dx, *cols, first, n)
		}
	})
}

func (c *conv) backwardWeight(dw []float32, x Inputs, _, dy []float32) {
	sum := make([]float32, c.n*c.k) // (N, k, k, C)
	tile := 8 * c.tile()
	cols := c.scratch.get(tile * c.k)
	defer c.scratch.put(cols)
	beta := float32(0)
	for first := 0; first < c.rows(); first += tile {
		n := min(tile, c.rows()-first)
		const group = 32
		parallel.For((n+group-1)/group, func(i int) {
			c.cut((*cols)[i*group*c.k:], x.F32(0), first+i*group, min(group, n-i*group))
		})
		kernel.Gemm(kernel.TN, c.n, c.k, n, 1, dy[first*c.n:], c.n, *cols, c.k, beta, sum, c.k)
		beta = 1
	}
	area := c.size * c.size
	for i, v := range sum {
		n, at := i/c.k, i%c.k
		dw[n*c.k+at%c.c*area+at/c.c] = v
	}
}

// tile is how many outputs are computed at a time: few enough for what they
// see to stay in the cache, enough to be worth reading the weight.
func (c *conv) tile() int { return min(max(1<<16/c.k, 64), 512) }

// channelsLast returns the weight as (N, k, k, C).
func (c *conv) channelsLast(w []float32) []float32 {
	out, area := make([]float32, len(w)), c.size*c.size
	parallel.For(c.n, func(n int) {
		from, to := w[n*c.k:][:c.k], out[n*c.k:][:c.k]
		for i := range to {
			to[i] = from[i%c.c*area+i/c.c]
		}
	})
	return out
}

// cut copies what n outputs from first on see to the rows of cols.
func (c *conv) cut(cols, x []float32, first, n int) {
	for i := range n {
		row := cols[i*c.k:][:c.k]
		clear(row)
		c.runs(first+i, func(col, image, n int) { copy(row[col:][:n], x[image:]) })
	}
}

// paste adds the rows of cols to the pixels that cut would copy them from.
func (c *conv) paste(x, cols []float32, first, n int) {
	for i := range n {
		row := cols[i*c.k:][:c.k]
		c.runs(first+i, func(col, image, n int) {
			kernel.Axpy(x[image:][:n], 1, row[col:][:n])
		})
	}
}

// runs visits the runs of n elements that lie together in the image and under
// the kernel at one output, with the offset of each in the two. Padding is in
// none of them.
func (c *conv) runs(output int, f func(col, image, n int)) {
	top := output/c.ow%c.oh*c.stride - c.pad
	left := output%c.ow*c.stride - c.pad
	base := output / (c.oh * c.ow) * c.h
	lo, hi := max(0, -left), min(c.size, c.w-left)
	if lo >= hi {
		return
	}
	for i := max(0, -top); i < min(c.size, c.h-top); i++ {
		f((i*c.size+lo)*c.c, ((base+top+i)*c.w+left+lo)*c.c, (hi-lo)*c.c)
	}
}
