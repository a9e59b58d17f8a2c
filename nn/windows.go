package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/parallel"
)

// Windows cuts images into windows, of which each attends to itself alone (Liu et al.,
// 2021, Swin Transformer, section 3.2). With a shift the image is first rolled up and to
// the left by as much; what leaves it enters on the other side. Where windows reach
// beyond the image there are zeros.
type Windows struct {
	Image  [2]int // height and width
	Window [2]int // those of a window
	Shift  [2]int // less than Window; 0 for none
}

// grid is the number of windows down and across.
func (w Windows) grid() [2]int {
	return [2]int{(w.Image[0] + w.Window[0] - 1) / w.Window[0], (w.Image[1] + w.Window[1] - 1) / w.Window[1]}
}

// each visits the pixels of all windows of n images, with the number of the pixel in the
// windows and in the images; −1 for what is beyond.
func (w Windows) each(n int, visit func(inWindow, inImage int)) {
	g, area := w.grid(), w.Window[0]*w.Window[1]
	parallel.For(n*g[0]*g[1], func(i int) {
		image, top, left := i/(g[0]*g[1]), i/g[1]%g[0]*w.Window[0], i%g[1]*w.Window[1]
		for t := range area {
			y, x, at := top+t/w.Window[1], left+t%w.Window[1], -1
			if y < w.Image[0] && x < w.Image[1] {
				y, x = (y+w.Shift[0])%w.Image[0], (x+w.Shift[1])%w.Image[1]
				at = (image*w.Image[0]+y)*w.Image[1] + x
			}
			visit(i*area+t, at)
		}
	})
}

// Partition has the pixels of each window as a sample's tokens: (B, H, W, C) → (B·N, h·w,
// C), N windows an image.
func (w Windows) Partition(x *G.Node) *G.Node {
	w.check()
	WantShape("windows", "input", x, -1, w.Image[0], w.Image[1], -1)
	b, c, g := x.Shape()[0], x.Shape()[3], w.grid()
	return Apply(Op{
		Name:     "windows",
		Shape:    tensor.Shape{b * g[0] * g[1], w.Window[0] * w.Window[1], c}, // (B·N, h·w, C)
		Forward:  func(y []float32, x Inputs) { w.cut(y, x.F32(0), b, c) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) { w.paste(dx, dy, b, c) }).Reads()},
	}, x)
}

// Merge is the inverse of Partition: (B·N, h·w, C) → (B, H, W, C).
func (w Windows) Merge(x *G.Node) *G.Node {
	w.check()
	g := w.grid()
	WantShape("windows", "tokens", x, -1, w.Window[0]*w.Window[1], -1)
	s := x.Shape()
	if s[0]%(g[0]*g[1]) != 0 {
		Fail("windows", "%d windows, of which an image has %d × %d", s[0], g[0], g[1])
	}
	b, c := s[0]/(g[0]*g[1]), s[2]
	return Apply(Op{
		Name:     "merged windows",
		Shape:    tensor.Shape{b, w.Image[0], w.Image[1], c}, // (B, H, W, C)
		Forward:  func(y []float32, x Inputs) { w.paste(y, x.F32(0), b, c) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) { w.cut(dx, dy, b, c) }).Reads()},
	}, x)
}

func (w Windows) check() {
	for i := range 2 {
		if w.Image[i] < 1 || w.Window[i] < 1 || w.Shift[i] < 0 || w.Shift[i] >= w.Window[i] {
			Fail("windows", "windows %v, shifted by %v, of images %v", w.Window, w.Shift, w.Image)
		}
	}
}

func (w Windows) cut(windows, images []float32, n, c int) {
	w.each(n, func(in, at int) {
		if at < 0 {
			clear(windows[in*c:][:c])
			return
		}
		copy(windows[in*c:][:c], images[at*c:])
	})
}

func (w Windows) paste(images, windows []float32, n, c int) {
	w.each(n, func(in, at int) {
		if at >= 0 {
			copy(images[at*c:][:c], windows[in*c:])
		}
	})
}

// Attention is [BiasedAttention] within windows, (B·N, L, 3W), (H, L, L) → (B·N, L, W). In
// a window that joins pixels of two sides of the image, scores of pixels of different
// sides are 100 less, as in the paper's implementation.
func (w Windows) Attention(qkv, bias *G.Node, heads int) *G.Node {
	w.check()
	g := w.grid()
	if WantShape("attention", "qkv", qkv, -1, w.Window[0]*w.Window[1], -1); qkv.Shape()[0]%(g[0]*g[1]) != 0 {
		Fail("windows", "%d windows, of which an image has %d × %d", qkv.Shape()[0], g[0], g[1])
	}
	return Attend(qkv, Attending{Heads: heads, Bias: bias, masks: w.masks()})
}

// masks are what is added to the scores of each of an image's windows, nil for nothing.
func (w Windows) masks() [][]float32 {
	g, area := w.grid(), w.Window[0]*w.Window[1]
	if w.Shift == [2]int{} {
		return nil
	}
	// region numbers the strips of a rolled image along an axis.
	region := func(axis, at int) int {
		switch end := g[axis] * w.Window[axis]; {
		case w.Shift[axis] == 0:
			return 0
		case at < end-w.Window[axis]:
			return 0
		case at < end-w.Shift[axis]:
			return 1
		}
		return 2
	}
	masks := make([][]float32, g[0]*g[1])
	for i := range masks {
		regions, several := make([]int, area), false
		for t := range regions {
			regions[t] = 3*region(0, i/g[1]*w.Window[0]+t/w.Window[1]) + region(1, i%g[1]*w.Window[1]+t%w.Window[1])
			several = several || regions[t] != regions[0]
		}
		if !several {
			continue
		}
		masks[i] = make([]float32, area*area)
		for j := range masks[i] {
			if regions[j/area] != regions[j%area] {
				masks[i][j] = -100
			}
		}
	}
	return masks
}

// MergePatches joins the channels of four neighbours, of rows and columns (0, 0), (1, 0),
// (0, 1) and (1, 1): (B, H, W, C) → (B, ⌈H/2⌉, ⌈W/2⌉, 4·C). Beyond the image there are
// zeros.
func MergePatches(x *G.Node) *G.Node {
	WantShape("merged patches", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	b, h, w, c := s[0], s[1], s[2], s[3]
	oh, ow := (h+1)/2, (w+1)/2
	each := func(visit func(merged, pixel int)) {
		parallel.For(b*oh, func(r int) {
			for i := range 4 * ow {
				y, x := r%oh*2+i%4%2, i/4*2+i%4/2
				pixel := -1
				if y < h && x < w {
					pixel = (r/oh*h+y)*w + x
				}
				visit(r*4*ow+i, pixel)
			}
		})
	}
	return Apply(Op{
		Name:  "merged patches",
		Shape: tensor.Shape{b, oh, ow, 4 * c}, // (B, ⌈H/2⌉, ⌈W/2⌉, 4·C)
		Forward: func(y []float32, x Inputs) {
			each(func(merged, pixel int) {
				if pixel < 0 {
					clear(y[merged*c:][:c])
					return
				}
				copy(y[merged*c:][:c], x.F32(0)[pixel*c:])
			})
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			each(func(merged, pixel int) {
				if pixel >= 0 {
					copy(dx[pixel*c:][:c], dy[merged*c:])
				}
			})
		}).Reads()},
	}, x)
}
