package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/parallel"
)

// Images of several grids in one batch have their patches, row-major, in front of a
// sample's tokens; what follows is padding. Grid, (B, 2) int32, holds the rows and columns
// of each. (Dehghani et al., 2023, Patch n' Pack, and Beyer et al., 2023, FlexiViT, are
// where NaFlex comes from; Tschannen et al., 2025, SigLIP 2.)

// gridOf returns the grid of a sample, which must have no more patches than most.
func gridOf(layer string, grid []int32, sample, most int) [2]int {
	h, w := int(grid[2*sample]), int(grid[2*sample+1])
	if h < 1 || w < 1 || h > most || w > most/h {
		Fail(layer, "the grid of sample %d is %d × %d, want 1 to %d patches", sample, h, w, most)
	}
	return [2]int{h, w}
}

// GridPositions adds to each patch the position embedding of its place, resized to the
// image's grid: (B, N, W), (B, 2), (1, h, w, W) → (B, N, W). Padding has that of the
// first place.
func GridPositions(x, grid, table *G.Node, by Interpolation) *G.Node {
	b, n, w := tokens("grid positions", x)
	WantShape("grid positions", "grids", grid, b, 2)
	WantShape("grid positions", "table", table, 1, -1, -1, w)
	from := [2]int{table.Shape()[1], table.Shape()[2]}
	// place is the number of the embedding that token t has.
	place := func(to [2]int, t int) int {
		if t < to[0]*to[1] {
			return t
		}
		return 0
	}
	return Apply(Op{
		Name:  "grid positions",
		Shape: x.Shape(), // (B, N, W)
		Forward: func(y []float32, in Inputs) {
			resized := make([][]float32, b)
			first := map[[2]int]int{} // the first sample of a grid
			for i := range b {
				to := gridOf("grid positions", in.I32(1), i, n)
				if _, ok := first[to]; !ok {
					first[to] = i
				}
			}
			parallel.For(b, func(i int) {
				if to := gridOf("grid positions", in.I32(1), i, n); first[to] == i {
					resized[i] = ResizeGrid(in.F32(2), from, to, w, by)
				}
			})
			parallel.For(b, func(i int) {
				to := gridOf("grid positions", in.I32(1), i, n)
				for t := range n {
					at := (i*n + t) * w
					y, pos := y[at:][:w], resized[first[to]][place(to, t)*w:]
					for j, v := range in.F32(0)[at:][:w] {
						y[j] = v + pos[j]
					}
				}
			})
		},
		Backward: []Pullback{Through(), {}, Back(func(dt []float32, in Inputs, _, dy []float32) {
			clear(dt)
			for i := range b {
				to := gridOf("grid positions", in.I32(1), i, n)
				d := make([]float32, to[0]*to[1]*w)
				for t := range n {
					at := d[place(to, t)*w:][:w]
					for j, v := range dy[(i*n+t)*w:][:w] {
						at[j] += v
					}
				}
				resizeGridBack(dt, d, from, to, w, by)
			}
		}).Reads(1)},
	}, x, grid, table)
}

// KeysOfGrid marks the tokens that are no padding, for [Attending] and [MeanOf]: (B, 2) →
// (B, prefix+N), of ones and zeros, for prefix tokens in front of at most N patches.
func KeysOfGrid(grid *G.Node, prefix, n int) *G.Node {
	WantShape("padding", "grids", grid, -1, 2)
	b, l := grid.Shape()[0], prefix+n
	return Apply(Op{
		Name:  "padding",
		Shape: tensor.Shape{b, l}, // (B, prefix+N)
		Forward: func(y []float32, x Inputs) {
			clear(y)
			for i := range b {
				g := gridOf("padding", x.I32(0), i, n)
				for j := range prefix + g[0]*g[1] {
					y[i*l+j] = 1
				}
			}
		},
	}, grid)
}

// TokensFrom is each sample's tokens from the given one on: (B, L, W) → (B, L−from, W).
func TokensFrom(x *G.Node, from int) *G.Node {
	b, l, w := tokens("tokens", x)
	if from < 0 || from >= l {
		Fail("tokens", "no tokens from %d of %d on", from, l)
	}
	return Apply(Op{
		Name:  "tokens from",
		Shape: tensor.Shape{b, l - from, w}, // (B, L−from, W)
		Forward: func(y []float32, x Inputs) {
			for i := range b {
				copy(y[i*(l-from)*w:][:(l-from)*w], x.F32(0)[(i*l+from)*w:])
			}
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			for i := range b {
				clear(dx[i*l*w:][:from*w])
				copy(dx[(i*l+from)*w:][:(l-from)*w], dy[i*(l-from)*w:])
			}
		}).Reads()},
	}, x)
}

// Patchify cuts images into square patches, row-major, each as its pixels' values in the
// order of row, column and channel: (B, C, H, W) → (B, N, P·P·C). Rows and columns of
// pixels beyond the last whole patch are dropped.
func Patchify(pixels *G.Node, size int) *G.Node {
	WantShape("patches", "pixels", pixels, -1, -1, -1, -1)
	s := pixels.Shape()
	b, c, h, w := s[0], s[1], s[2], s[3]
	if size < 1 || h < size || w < size {
		Fail("patches", "no patch of %d × %d in pixels %v", size, size, s)
	}
	gh, gw := h/size, w/size
	each := func(visit func(patch, pixel int)) {
		parallel.For(b*gh, func(r int) {
			for i := range gw * size * size * c {
				ch, col, row, patch := i%c, i/c%size, i/(c*size)%size, i/(c*size*size)
				y, x := r%gh*size+row, patch*size+col
				visit(r*gw*size*size*c+i, ((r/gh*c+ch)*h+y)*w+x)
			}
		})
	}
	return Apply(Op{
		Name:    "patches",
		Shape:   tensor.Shape{b, gh * gw, size * size * c}, // (B, N, P·P·C)
		Forward: func(y []float32, x Inputs) { in := x.F32(0); each(func(patch, pixel int) { y[patch] = in[pixel] }) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			clear(dx)
			each(func(patch, pixel int) { dx[pixel] = dy[patch] })
		}).Reads()},
	}, pixels)
}
