package checkpoint

import (
	"math"
	"slices"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// resampling returns the shape that a parameter has in the file and, for
// position embeddings of another size, how to get from there to its own.
func (c *Checkpoint) resampling(p *nn.Param) ([]int, func([]float32) []float32) {
	if from, ok := c.stored.Vision.(vision.Resizer); ok {
		if name, grid, prefix := from.Positions(); name == p.Name {
			_, to, _ := c.spec.Vision.(vision.Resizer).Positions()
			return c.resampledGrid(p, grid, to, prefix)
		}
	}
	if from, ok := c.stored.Text.(text.Resizer); ok && from.Positions() == p.Name {
		return resampledLine(p, c.stored.Text.Dims().ContextLength, c.opts.KeptPositions)
	}
	return p.Shape, nil
}

// resampledGrid keeps the prefix rows in front of the grid.
func (c *Checkpoint) resampledGrid(p *nn.Param, from, to [2]int, prefix int) ([]int, func([]float32) []float32) {
	if from == to {
		return p.Shape, nil
	}
	shape := slices.Clone(p.Shape)
	width := shape[len(shape)-1]
	shape[len(shape)-2] = prefix + from[0]*from[1]
	resize := c.layout.positions
	if own, ok := c.spec.Vision.(vision.PositionResizer); ok {
		resize = func(x []float32, from, to [2]int, width int) []float32 {
			return nn.ResizeGrid(x, from, to, width, own.PositionsBy())
		}
	}
	return shape, func(x []float32) []float32 {
		n := prefix * width
		return append(x[:n:n], resize(x[n:], from, to, width)...)
	}
}

func resampledLine(p *nn.Param, from, kept int) ([]int, func([]float32) []float32) {
	shape := slices.Clone(p.Shape)
	rows := len(shape) - 2
	to, width := shape[rows], shape[rows+1]
	if from == to {
		return p.Shape, nil
	}
	shape[rows] = from
	if kept > 0 && kept < from && from < to {
		return shape, func(x []float32) []float32 { return stretchLine(x, kept, from, to, width) }
	}
	return shape, func(x []float32) []float32 { return resizeLine(x, from, to, width) }
}

// resizeGrid resizes as open_clip does.
func resizeGrid(x []float32, from, to [2]int, width int) []float32 {
	return nn.ResizeGrid(x, from, to, width, nn.Bicubic)
}

// resizeGridSharp is PyTorch's interpolate(mode="bicubic", align_corners=False)
// without antialiasing, as transformers calls it: the kernel of Keys with a = −0.75
// over four neighbours, those beyond the border being the border's.
func resizeGridSharp(x []float32, from, to [2]int, width int) []float32 {
	cols := make([]float32, from[0]*to[1]*width)
	for r := range from[0] {
		sharpen(cols[r*to[1]*width:][:to[1]*width], x[r*from[1]*width:][:from[1]*width], from[1], to[1], width)
	}
	y := make([]float32, to[0]*to[1]*width)
	sharpen(y, cols, from[0], to[0], to[1]*width)
	return y
}

// sharpen is resample without antialiasing.
func sharpen(y, x []float32, from, to, width int) {
	scale := float32(from) / float32(to)
	for i := range to {
		at := scale*(float32(i)+0.5) - 0.5
		first := int(math.Floor(float64(at)))
		out := y[i*width : (i+1)*width]
		for j := first - 1; j <= first+2; j++ {
			w := nn.Keys(float32(j)-at, -0.75)
			row := min(max(j, 0), from-1)
			for k, v := range x[row*width:][:width] {
				out[k] += w * v
			}
		}
	}
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

// stretchLine keeps the first rows of x, (from, W), which short captions have trained well,
// and spreads the others over the rest: each is found again at a multiple of the ratio,
// those between are linear, and the last go on as the two before them (Zhang et al., 2024,
// Long-CLIP, which keeps 20).
func stretchLine(x []float32, kept, from, to, width int) []float32 {
	y := make([]float32, to*width)
	copy(y, x[:kept*width])
	ratio := float64(from-kept) / float64(to-kept)
	for i := kept; i < to; i++ {
		at := float64(i-kept) * ratio
		lo := max(min(kept+int(at), from-2), 0)
		w := float32(at - float64(lo-kept))
		for k := range width {
			a, b := x[lo*width+k], x[(lo+1)*width+k]
			y[i*width+k] = a + w*(b-a)
		}
	}
	return y
}
