package nn

import "math"

// Interpolation is how [ResizeGrid] interpolates, with antialiasing: where it reduces, the
// kernel is as much wider.
type Interpolation uint8

const (
	Bicubic  Interpolation = iota // Keys (1981) with a = −0.5
	Bilinear                      // a triangle
)

// support is half of the kernel's width.
func (i Interpolation) support() float32 {
	if i == Bilinear {
		return 1
	}
	return 2
}

func (i Interpolation) at(x float32) float32 {
	x = float32(math.Abs(float64(x)))
	if i == Bilinear {
		return max(0, 1-x)
	}
	return Keys(x, -0.5)
}

// Keys is the interpolation kernel of Keys (1981).
func Keys(x, a float32) float32 {
	x = float32(math.Abs(float64(x)))
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// ResizeGrid is PyTorch's interpolate(mode="bicubic" or "bilinear", antialias=True,
// align_corners=False) of x, (from[0], from[1], W): along the rows first, then across
// them.
func ResizeGrid(x []float32, from, to [2]int, width int, by Interpolation) []float32 {
	cols := make([]float32, from[0]*to[1]*width)
	across := tapsOf(from[1], to[1], by)
	for r := range from[0] {
		across.forward(cols[r*to[1]*width:][:to[1]*width], x[r*from[1]*width:][:from[1]*width], width)
	}
	y := make([]float32, to[0]*to[1]*width)
	tapsOf(from[0], to[0], by).forward(y, cols, to[1]*width)
	return y
}

// resizeGridBack adds to dx what ResizeGrid's result, of gradient dy, came from.
func resizeGridBack(dx, dy []float32, from, to [2]int, width int, by Interpolation) {
	cols := make([]float32, from[0]*to[1]*width)
	tapsOf(from[0], to[0], by).backward(cols, dy, to[1]*width)
	across := tapsOf(from[1], to[1], by)
	for r := range from[0] {
		across.backward(dx[r*from[1]*width:][:from[1]*width], cols[r*to[1]*width:][:to[1]*width], width)
	}
}

// taps are the weights of what each element of a resized row comes from, which begins at
// first.
type taps []struct {
	first   int
	weights []float32
}

// tapsOf computes weights in float32, as PyTorch does.
func tapsOf(from, to int, by Interpolation) taps {
	scale := float32(from) / float32(to)
	support, inverse := by.support(), float32(1)
	if scale >= 1 {
		support, inverse = support*scale, 1/scale
	}
	t := make(taps, to)
	for i := range t {
		centre := scale * (float32(i) + 0.5)
		first := max(int(centre-support+0.5), 0)
		weights := make([]float32, min(int(centre+support+0.5), from)-first)
		var sum float32
		for j := range weights {
			weights[j] = by.at((float32(j+first) - centre + 0.5) * inverse)
			sum += weights[j]
		}
		for j := range weights {
			if sum != 0 {
				weights[j] /= sum
			}
		}
		t[i].first, t[i].weights = first, weights
	}
	return t
}

// forward filters vectors of the given width.
func (t taps) forward(y, x []float32, width int) {
	for i, tap := range t {
		out := y[i*width : (i+1)*width]
		for j, w := range tap.weights {
			for k, v := range x[(tap.first+j)*width:][:width] {
				out[k] += w * v
			}
		}
	}
}

// backward adds to dx.
func (t taps) backward(dx, dy []float32, width int) {
	for i, tap := range t {
		for j, w := range tap.weights {
			out := dx[(tap.first+j)*width:][:width]
			for k, v := range dy[i*width : (i+1)*width] {
				out[k] += w * v
			}
		}
	}
}
