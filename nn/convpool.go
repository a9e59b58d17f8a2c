package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// ChannelsLast reorders images: (B, C, H, W) → (B, H, W, C).
func ChannelsLast(x *G.Node) *G.Node {
	WantShape("channels last", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	c, area, w := s[1], s[2]*s[3], s[3]
	// each visits the channels of every row of pixels: w elements side by side, and c apart.
	each := func(f func(first, last int)) {
		parallel.For(s[0]*s[2], func(r int) {
			for j := range c {
				f((r/s[2]*c+j)*area+r%s[2]*w, r*w*c+j)
			}
		})
	}
	return Apply(Op{
		Name:  "channels last",
		Shape: tensor.Shape{s[0], s[2], s[3], c}, // (B, H, W, C)
		Forward: func(y []float32, x Inputs) {
			in := x.F32(0)
			each(func(first, last int) {
				for i, v := range in[first:][:w] {
					y[last+i*c] = v
				}
			})
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			each(func(first, last int) {
				for i := range w {
					dx[first+i] = dy[last+i*c]
				}
			})
		})},
	}, x)
}

// ZeroPad surrounds images with zeros, so many pixels above and to the left, and below and
// to the right: (B, H, W, C) → (B, before+H+after, before+W+after, C).
func ZeroPad(x *G.Node, before, after int) *G.Node {
	WantShape("zero padding", "input", x, -1, -1, -1, -1)
	if before < 0 || after < 0 {
		Fail("zero padding", "%d and %d pixels", before, after)
	}
	s := x.Shape()
	b, h, w, c := s[0], s[1], s[2], s[3]
	oh, ow := before+h+after, before+w+after
	// each visits the rows of the images with the place of each in the larger ones.
	each := func(f func(row, padded int)) {
		for r := range b * h {
			f(r*w*c, ((r/h*oh+before+r%h)*ow+before)*c)
		}
	}
	return Apply(Op{
		Name:  "zero padding",
		Shape: tensor.Shape{b, oh, ow, c}, // (B, before+H+after, before+W+after, C)
		Forward: func(y []float32, x Inputs) {
			clear(y)
			each(func(row, padded int) { copy(y[padded:], x.F32(0)[row:][:w*c]) })
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			each(func(row, padded int) { copy(dx[row:][:w*c], dy[padded:]) })
		}).Reads()},
	}, x)
}

// AvgPool2D averages squares of size×size pixels side by side: (B, H, W, C) →
// (B, H/size, W/size, C). Pixels beyond the last whole square are dropped.
func AvgPool2D(x *G.Node, size int) *G.Node {
	WantShape("average pool", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	h, w, c := s[1], s[2], s[3]
	if size < 1 || h < size || w < size {
		Fail("average pool", "no whole square of %d×%d in input %v", size, size, s)
	}
	oh, ow, share := h/size, w/size, 1/float32(size*size)
	// each visits the pixels of every square, row by row of the output.
	each := func(f func(pixel, square int)) {
		parallel.For(s[0]*oh, func(r int) {
			b, top := r/oh, r%oh*size
			for o := range ow {
				for i := range size * size {
					f(((b*h+top+i/size)*w+o*size+i%size)*c, (r*ow+o)*c)
				}
			}
		})
	}
	return Apply(Op{
		Name:  "average pool",
		Shape: tensor.Shape{s[0], oh, ow, c}, // (B, H/size, W/size, C)
		Forward: func(y []float32, x Inputs) {
			in := x.F32(0)
			clear(y)
			each(func(pixel, square int) { kernel.Axpy(y[square:][:c], share, in[pixel:][:c]) })
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			clear(dx)
			each(func(pixel, square int) { kernel.Axpy(dx[pixel:][:c], share, dy[square:][:c]) })
		})},
	}, x)
}

// AvgPool2DWithin averages squares of size×size pixels that overlap where the stride is
// less, around an image with a border of pad pixels: (B, H, W, C) → (B,
// (H+2·pad−size)/stride+1, …, C). Of each square only the pixels within the image count.
func AvgPool2DWithin(x *G.Node, size, stride, pad int) *G.Node {
	WantShape("average pool", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	h, w, c := s[1], s[2], s[3]
	if size < 1 || stride < 1 || pad < 0 || 2*pad > size || min(h, w)+2*pad < size {
		Fail("average pool", "no square of %d×%d with stride %d and padding %d in input %v", size, size, stride, pad, s)
	}
	oh, ow := (h+2*pad-size)/stride+1, (w+2*pad-size)/stride+1
	// each visits the pixels of every square of a sample, row by row of the output, with
	// their share of it.
	each := func(f func(pixel, square int, share float32)) {
		parallel.For(s[0], func(b int) {
			for o := range oh * ow {
				top, left := o/ow*stride-pad, o%ow*stride-pad
				bottom, right := min(h, top+size), min(w, left+size)
				top, left = max(0, top), max(0, left)
				share := 1 / float32((bottom-top)*(right-left))
				for i := top; i < bottom; i++ {
					for j := left; j < right; j++ {
						f(((b*h+i)*w+j)*c, (b*oh*ow+o)*c, share)
					}
				}
			}
		})
	}
	return Apply(Op{
		Name:  "average pool",
		Shape: tensor.Shape{s[0], oh, ow, c}, // (B, H', W', C)
		Forward: func(y []float32, x Inputs) {
			in := x.F32(0)
			clear(y)
			each(func(pixel, square int, share float32) { kernel.Axpy(y[square:][:c], share, in[pixel:][:c]) })
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			clear(dx)
			each(func(pixel, square int, share float32) { kernel.Axpy(dx[pixel:][:c], share, dy[square:][:c]) })
		}).Reads()},
	}, x)
}

// PrependMean makes tokens of pixels, with their mean before them: (B, H, W, C)
// → (B, 1+H·W, C).
func PrependMean(x *G.Node) *G.Node {
	WantShape("mean token", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	b, l, c := s[0], s[1]*s[2], s[3]
	if l == 0 {
		Fail("mean token", "no pixels in input %v", s)
	}
	return Apply(Op{
		Name:  "mean token",
		Shape: tensor.Shape{b, 1 + l, c}, // (B, 1+H·W, C)
		Forward: func(y []float32, x Inputs) {
			for i := range b {
				in, out := x.F32(0)[i*l*c:][:l*c], y[i*(1+l)*c:][:(1+l)*c]
				copy(out[c:], in)
				kernel.ColSum(out[:c], in, l, c)
				for j := range c {
					out[j] /= float32(l)
				}
			}
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			for i := range b {
				d := dy[i*(1+l)*c:][:(1+l)*c]
				for t := range l {
					row := dx[(i*l+t)*c:][:c]
					copy(row, d[(1+t)*c:])
					kernel.Axpy(row, 1/float32(l), d[:c])
				}
			}
		})},
	}, x)
}
