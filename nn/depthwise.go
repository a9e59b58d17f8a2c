package nn

import (
	"runtime"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// DepthwiseConv2D convolves each channel by itself, with the same number of outputs
// for each: x (B, H, W, C), weight (C·m, 1, k, k), in PyTorch's order, bias (C·m) or nil
// → (B, (H+2·pad−k)/stride+1, …, C·m). Around x there are pad zeros. An output is summed
// over the kernel in row-major order, whatever the batch.
func DepthwiseConv2D(x, weight, bias *G.Node, stride, pad int) *G.Node {
	return depthwiseConv(x, weight, bias, stride, pad, nil)
}

// DepthwiseConv is [DepthwiseConv2D] with parameters.
type DepthwiseConv struct {
	Weight *Param // (C·m, 1, k, k)
	Bias   *Param // (C·m); nil for none

	Stride, Pad int
}

// Forward maps (B, H, W, C) to (B, H', W', C·m).
func (c *DepthwiseConv) Forward(x *G.Node) *G.Node {
	var bias *G.Node
	if c.Bias != nil {
		bias = c.Bias.Node(x.Graph())
	}
	return depthwiseConv(x, c.Weight.Node(x.Graph()), bias, c.Stride, c.Pad, c.Weight)
}

// depthwiseConv keeps the weight in its own order where that is a parameter's that never changes.
func depthwiseConv(x, weight, bias *G.Node, stride, pad int, param *Param) *G.Node {
	WantShape("depthwise convolution", "input", x, -1, -1, -1, -1)
	WantShape("depthwise convolution", "weight", weight, -1, 1, -1, -1)
	s, ws := x.Shape(), weight.Shape()
	d := &depthwise{b: s[0], h: s[1], w: s[2], c: s[3], n: ws[0], size: ws[2], stride: stride, border: pad, param: param, none: make([]float32, ws[0])}
	if ws[3] != d.size || d.size < 1 || stride < 1 || pad < 0 || pad >= d.size || d.n%d.c != 0 || min(d.h, d.w)+2*pad < d.size {
		Fail("depthwise convolution", "weight %v with stride %d and padding %d does not fit input %v", ws, stride, pad, s)
	}
	d.oh, d.ow = (d.h+2*pad-d.size)/stride+1, (d.w+2*pad-d.size)/stride+1
	in := []*G.Node{x, weight}
	back := []Pullback{Back(d.backwardInput).Reads(1), Back(d.backwardWeight).Reads(0)}
	if bias != nil {
		WantShape("depthwise convolution", "bias", bias, d.n)
		in = append(in, bias)
		back = append(back, Back(func(db []float32, _ Inputs, _, dy []float32) {
			kernel.ColSum(db, dy, d.b*d.oh*d.ow, d.n)
		}).Reads())
	}
	return Apply(Op{
		Name:     "depthwise convolution",
		Shape:    tensor.Shape{d.b, d.oh, d.ow, d.n}, // (B, H', W', C·m)
		Forward:  func(y []float32, x Inputs) { d.parts(y, x, nil) },
		Backward: back,

		parts:        d.parts,
		partsAreRows: true,
	}, in...)
}

type depthwise struct {
	b, h, w, c           int // of the input
	oh, ow, n            int // of the output
	size, stride, border int
	none                 []float32 // zeros, in place of a bias
	param                *Param    // of the weight; nil for none
	scratch              scratch
}

// kept returns taps, which a parameter that never changes keeps.
func (d *depthwise) kept(weight []float32) []float32 {
	if p := d.param; p != nil && p.mapped {
		p.packing.Do(func() { p.taps = d.taps(weight) })
		return p.taps
	}
	return d.taps(weight)
}

// taps returns the weight as (k·k, C·m): a row for each place under the kernel.
func (d *depthwise) taps(weight []float32) []float32 {
	area := d.size * d.size
	out := make([]float32, len(weight))
	for o := range d.n {
		for t := range area {
			out[t*d.n+o] = weight[o*area+t]
		}
	}
	return out
}

// spread copies values, each of them m times.
func (d *depthwise) spread(dst, x []float32, m int) {
	switch m {
	case 1:
		copy(dst, x)
	case 2:
		for i, v := range x {
			pair := dst[2*i:][:2]
			pair[0], pair[1] = v, v
		}
	default:
		for i, v := range x {
			for j := range m {
				dst[i*m+j] = v
			}
		}
	}
}

// pad copies images of h×w pixels into frames of zeros, with so many rows and columns in
// front, and lends them. Between the pixels of an image there is room for more.
func (d *depthwise) pad(x []float32, h, w int, frame [2]int, front, apart int) *[]float32 {
	lent := d.scratch.get(d.b * frame[0] * frame[1] * d.n)
	out := *lent
	parallel.For(d.b*frame[0], func(r int) {
		row := out[r*frame[1]*d.n:][:frame[1]*d.n]
		clear(row)
		y := r%frame[0] - front
		if y < 0 || y%apart != 0 || y/apart >= h {
			return
		}
		from := x[(r/frame[0]*h+y/apart)*w*d.n:][:w*d.n]
		if apart == 1 {
			copy(row[front*d.n:], from)
			return
		}
		for i := range w {
			copy(row[(front+i*apart)*d.n:][:d.n], from[i*d.n:])
		}
	})
	return lent
}

// padded is x in a frame, with n values a pixel, the frame's size, and what gives the
// frame back.
func (d *depthwise) padded(x []float32) (framed []float32, frame [2]int, done func()) {
	frame = [2]int{d.h + 2*d.border, d.w + 2*d.border}
	if m := d.n / d.c; m > 1 {
		wide := make([]float32, len(x)*m)
		d.spread(wide, x, m)
		x = wide
	}
	if d.border == 0 {
		return x, frame, func() {}
	}
	lent := d.pad(x, d.h, d.w, frame, d.border, 1)
	return *lent, frame, func() { d.scratch.put(lent) }
}

// parts computes a few rows of the output at a time, of those rows of x that they see, with zeros
// around them: what the core's cache holds.
func (d *depthwise) parts(y []float32, in Inputs, next step) {
	x, taps, m := in.F32(0), d.kept(in.F32(1)), d.n/d.c
	bias := d.none
	if len(in) == 3 {
		bias = in.F32(2)
	}
	width := (d.w + 2*d.border) * d.n
	k := kernel.Kernel2D{Rows: d.size, Cols: d.size, Channels: d.n, Pitch: width, Stride: d.stride}
	const most = 1 << 17 // elements of those rows
	rows := max(1, min((most/width-d.size)/d.stride+1, (d.b*d.oh+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0), d.oh))
	each := (d.oh + rows - 1) / rows
	parallel.For(d.b*each, func(i int) {
		first := i % each * rows
		count, top := min(rows, d.oh-first), first*d.stride-d.border
		lent := d.scratch.get(((count-1)*d.stride + d.size) * width)
		defer d.scratch.put(lent)
		seen := *lent
		for r := range (count-1)*d.stride + d.size {
			row := seen[r*width:][:width]
			if top+r < 0 || top+r >= d.h {
				clear(row)
				continue
			}
			side := d.border * d.n
			clear(row[:side])
			clear(row[width-side:])
			d.spread(row[side:width-side], x[(i/each*d.h+top+r)*d.w*d.c:][:d.w*d.c], m)
		}
		for r := range count {
			at := (i/each*d.oh + first + r) * d.ow * d.n
			row := y[at:][:d.ow*d.n]
			kernel.Depthwise(row, seen[r*d.stride*width:], taps, bias, k)
			if next != nil {
				next(row, at)
			}
		}
	})
}

// backwardInput is the convolution of the outputs' gradients, as far apart as the stride,
// with the kernel turned around.
func (d *depthwise) backwardInput(dx []float32, in Inputs, _, dy []float32) {
	taps, m := d.taps(in.F32(1)), d.n/d.c
	area := d.size * d.size
	for t := range area / 2 {
		a, b := taps[t*d.n:][:d.n], taps[(area-1-t)*d.n:][:d.n]
		for j := range a {
			a[j], b[j] = b[j], a[j]
		}
	}
	frame, front := [2]int{d.h + d.size - 1, d.w + d.size - 1}, d.size-1-d.border
	lent := d.pad(dy, d.oh, d.ow, frame, front, d.stride)
	defer d.scratch.put(lent)
	spaced := *lent
	wide := dx
	if m > 1 {
		wide = make([]float32, len(dx)*m)
	}
	k := kernel.Kernel2D{Rows: d.size, Cols: d.size, Channels: d.n, Pitch: frame[1] * d.n, Stride: 1}
	parallel.For(d.b*d.h, func(r int) {
		kernel.Depthwise(wide[r*d.w*d.n:][:d.w*d.n], spaced[(r/d.h*frame[0]+r%d.h)*k.Pitch:], taps, d.none, k)
	})
	for i := 0; m > 1 && i < len(dx); i++ {
		dx[i] = 0
		for _, v := range wide[i*m:][:m] {
			dx[i] += v
		}
	}
}

// backwardWeight sums over all outputs, those of one place under the kernel on one core.
func (d *depthwise) backwardWeight(dw []float32, in Inputs, _, dy []float32) {
	x, frame, done := d.padded(in.F32(0))
	defer done()
	area := d.size * d.size
	parallel.For(area, func(t int) {
		sum := make([]float32, d.n)
		for r := range d.b * d.oh {
			seen := (r/d.oh*frame[0]+r%d.oh*d.stride+t/d.size)*frame[1] + t%d.size
			kernel.AddProducts(sum, x[seen*d.n:], dy[r*d.ow*d.n:], d.ow, d.stride*d.n, d.n)
		}
		for o, v := range sum {
			dw[o*area+t] = v
		}
	})
}
