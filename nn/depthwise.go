package nn

import (
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
	WantShape("depthwise convolution", "input", x, -1, -1, -1, -1)
	WantShape("depthwise convolution", "weight", weight, -1, 1, -1, -1)
	s, ws := x.Shape(), weight.Shape()
	d := &depthwise{b: s[0], h: s[1], w: s[2], c: s[3], n: ws[0], size: ws[2], stride: stride, pad: pad}
	if ws[3] != d.size || d.size < 1 || stride < 1 || pad < 0 || d.n%d.c != 0 || min(d.h, d.w)+2*pad < d.size {
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
		Forward:  d.forward,
		Backward: back,
	}, in...)
}

type depthwise struct {
	b, h, w, c        int // of the input
	oh, ow, n         int // of the output
	size, stride, pad int
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

// spread is n values a pixel of x, channel o/m of it for output o.
func (d *depthwise) spread(x []float32) []float32 {
	m := d.n / d.c
	if m == 1 {
		return x
	}
	out := make([]float32, len(x)*m)
	for i, v := range x {
		for j := range m {
			out[i*m+j] = v
		}
	}
	return out
}

func (d *depthwise) forward(y []float32, in Inputs) {
	x, taps := d.spread(in.F32(0)), d.taps(in.F32(1))
	parallel.For(d.b*d.oh, func(r int) {
		row := y[r*d.ow*d.n:][:d.ow*d.n]
		if len(in) == 3 {
			for i := range d.ow {
				copy(row[i*d.n:], in.F32(2))
			}
		} else {
			clear(row)
		}
		d.each(r, func(tap, output, input, n int) {
			w := taps[tap*d.n:][:d.n]
			for i := range n {
				mulAdd(row[output+i*d.n:][:d.n], x[input+i*d.stride*d.n:][:d.n], w)
			}
		})
	})
}

// backwardInput adds up, for each pixel, what came of the outputs that saw it. Only the
// outputs of one sample meet, in one order.
func (d *depthwise) backwardInput(dx []float32, in Inputs, _, dy []float32) {
	taps, m := d.taps(in.F32(1)), d.n/d.c
	wide := dx
	if m > 1 {
		wide = make([]float32, len(dx)*m)
	}
	clear(wide)
	parallel.For(d.b, func(b int) {
		for r := b * d.oh; r < (b+1)*d.oh; r++ {
			row := dy[r*d.ow*d.n:][:d.ow*d.n]
			d.each(r, func(tap, output, input, n int) {
				w := taps[tap*d.n:][:d.n]
				for i := range n {
					mulAdd(wide[input+i*d.stride*d.n:][:d.n], row[output+i*d.n:][:d.n], w)
				}
			})
		}
	})
	if m > 1 {
		for i := range dx {
			dx[i] = 0
			for _, v := range wide[i*m:][:m] {
				dx[i] += v
			}
		}
	}
}

// backwardWeight sums over all outputs, those of one place under the kernel on one core.
func (d *depthwise) backwardWeight(dw []float32, in Inputs, _, dy []float32) {
	x, area := d.spread(in.F32(0)), d.size*d.size
	parallel.For(area, func(t int) {
		sum := make([]float32, d.n)
		for r := range d.b * d.oh {
			row := dy[r*d.ow*d.n:][:d.ow*d.n]
			d.each(r, func(tap, output, input, n int) {
				if tap != t {
					return
				}
				for i := range n {
					mulAdd(sum, x[input+i*d.stride*d.n:][:d.n], row[output+i*d.n:][:d.n])
				}
			})
		}
		for o, v := range sum {
			dw[o*area+t] = v
		}
	})
}

// each visits the places under the kernel, in row-major order, for a row of outputs: with
// each the offset of the first output in the row that sees a pixel there, that of the
// pixel in x, C·m values each, and for how many outputs it is so.
func (d *depthwise) each(r int, f func(tap, output, input, n int)) {
	b, top := r/d.oh, r%d.oh*d.stride-d.pad
	for i := max(0, -top); i < min(d.size, d.h-top); i++ {
		for j := range d.size {
			// Outputs o with 0 ≤ o·stride − pad + j < w.
			first := max(0, (d.pad-j+d.stride-1)/d.stride)
			end := min(d.ow, (d.w-1+d.pad-j)/d.stride+1)
			if d.w-1+d.pad-j < 0 || first >= end {
				continue
			}
			input := ((b*d.h+top+i)*d.w + first*d.stride - d.pad + j) * d.n
			f(i*d.size+j, first*d.n, input, end-first)
		}
	}
}

// mulAdd is dst += a·b, elementwise.
func mulAdd(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] += a[i] * b[i]
	}
}
