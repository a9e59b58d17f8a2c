package checkpoint

import (
	"math"

	"github.com/goclip/goclip/nn"
)

// resampling returns the shape that a parameter has in the file and, for
// position embeddings of another size, how to get from there to its own.
func (c *Checkpoint) resampling(p *nn.Param) ([]int, func([]float32) []float32) {
	switch p.Name {
	case "visual.positional_embedding":
		from, to := c.stored.Vision, c.spec.Vision
		if from.Grid() == to.Grid() {
			break
		}
		extra := from.Tokens() - from.Grid()[0]*from.Grid()[1]
		return []int{from.Tokens(), from.Width}, func(x []float32) []float32 {
			n := extra * from.Width
			return append(x[:n:n], resizeGrid(x[n:], from.Grid(), to.Grid(), from.Width)...)
		}
	case "positional_embedding":
		from, to := c.stored.Text, c.spec.Text
		if from.ContextLength == to.ContextLength {
			break
		}
		return []int{from.ContextLength, from.Width}, func(x []float32) []float32 {
			return resizeLine(x, from.ContextLength, to.ContextLength, from.Width)
		}
	}
	return p.Shape, nil
}

// resizeGrid is PyTorch's interpolate(mode="bicubic", antialias=True,
// align_corners=False) of x, (from[0], from[1], W): along the rows first, then
// across them.
func resizeGrid(x []float32, from, to [2]int, width int) []float32 {
	cols := make([]float32, from[0]*to[1]*width)
	for r := range from[0] {
		resample(cols[r*to[1]*width:][:to[1]*width], x[r*from[1]*width:][:from[1]*width], from[1], to[1], width)
	}
	y := make([]float32, to[0]*to[1]*width)
	resample(y, cols, from[0], to[0], to[1]*width)
	return y
}

// resample filters x, from vectors of the given width, to as many as to says.
// Weights are computed in float32, as upsample_bicubic2d_aa does.
func resample(y, x []float32, from, to, width int) {
	scale := float32(from) / float32(to)
	support, inverse := float32(2), float32(1)
	if scale >= 1 {
		support, inverse = 2*scale, 1/scale
	}
	for i := range to {
		centre := scale * (float32(i) + 0.5)
		first := max(int(centre-support+0.5), 0)
		weights := make([]float32, min(int(centre+support+0.5), from)-first)
		var sum float32
		for j := range weights {
			weights[j] = cubic((float32(j+first) - centre + 0.5) * inverse)
			sum += weights[j]
		}
		out := y[i*width : (i+1)*width]
		for j, w := range weights {
			if sum != 0 {
				w /= sum
			}
			for k, v := range x[(first+j)*width:][:width] {
				out[k] += w * v
			}
		}
	}
}

// cubic is the interpolation kernel of Keys (1981) with a = −0.5.
func cubic(x float32) float32 {
	const a = -0.5
	x = float32(math.Abs(float64(x)))
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// resizeLine is PyTorch's interpolate(mode="linear", align_corners=False) of x,
// (from, W).
func resizeLine(x []float32, from, to, width int) []float32 {
	y := make([]float32, to*width)
	scale := float32(from) / float32(to)
	for i := range to {
		at := max(scale*(float32(i)+0.5)-0.5, 0)
		lo := min(int(at), from-1)
		hi := min(lo+1, from-1)
		w := at - float32(lo)
		for k := range width {
			y[i*width+k] = (1-w)*x[lo*width+k] + w*x[hi*width+k]
		}
	}
	return y
}
