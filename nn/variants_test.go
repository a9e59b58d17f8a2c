package nn_test

import (
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// variantLayers are what other attentions than CLIP's consist of.
func variantLayers() []layer {
	const b, w = 2, 16
	rotary := func(name string, c nn.RotaryGrid, at []int32) layer {
		tokens := c.Prefix + c.Grid[0]*c.Grid[1]
		if at != nil {
			tokens = c.Prefix + len(at)/b
		}
		return layer{name, [][]int{{b, tokens, 3 * w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				var places *G.Node
				if at != nil {
					places = ints(g, "at", at, b, len(at)/b)
				}
				return nn.NewRotaryEmbedding(c).Forward(x[0], places)
			},
			func(x [][]float64) []float64 { return refRotary(x[0], c, at, b, tokens, w) }}
	}
	return []layer{
		rotary("rotary embedding", nn.RotaryGrid{Grid: [2]int{2, 3}, Head: 8, Prefix: 1, Reference: 24, Offset: 1}, nil),
		rotary("rotary embedding, rows first", nn.RotaryGrid{Grid: [2]int{2, 3}, Head: 4, Reference: 3, RowsFirst: true}, nil),
		rotary("rotary embedding of some patches", nn.RotaryGrid{Grid: [2]int{2, 2}, Head: 8, Prefix: 1, Reference: 2}, []int32{3, 1, 0, 2}),
		{"q and v bias", [][]int{{3}, {3}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.QVBias(x[0], x[1]) },
			func(x [][]float64) []float64 { return slices.Concat(x[0], []float64{0, 0, 0}, x[1]) }},
		{"join columns", [][]int{{b, 2, 1}, {b, 2, 3}, {b, 2, 2}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.JoinColumns(x...) },
			func(x [][]float64) []float64 {
				var y []float64
				for i := range 2 * b {
					y = append(append(append(y, x[0][i]), x[1][3*i:][:3]...), x[2][2*i:][:2]...)
				}
				return y
			}},
		{"layer scale", [][]int{{b, 3, w}, {w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.LayerScaleOf(x[0], x[1]) },
			func(x [][]float64) []float64 { return times(x[0], slices.Repeat(x[1], 3*b)) }},
		{"attention with a bias", [][]int{{b, 5, 36}, {3, 5, 5}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.BiasedAttention(x[0], x[1], 3) },
			func(x [][]float64) []float64 { return refBiasedAttention(x[0], x[1], b, 5, 12, 3) }},
		{"relative positions", [][]int{{15, 2}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.RelativePositions(x[0], [2]int{2, 3}, 1) },
			func(x [][]float64) []float64 { return refRelativePositions(x[0], 2, 3, 2) }},
		{"bias", [][]int{{b, 3, w}, {w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.AddBias(x[0], x[1]) },
			func(x [][]float64) []float64 { return plus(x[0], slices.Repeat(x[1], 3*b)) }},
		{"tokens", [][]int{{b, 2, 3, 4}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Tokens(x[0]) },
			func(x [][]float64) []float64 { return x[0] }},
		{"pixels", [][]int{{b, 6, 4}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Pixels(x[0], 2, 3) },
			func(x [][]float64) []float64 { return x[0] }},
		{"scale channels", [][]int{{b, 2, 3, 4}, {b, 4}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.ScaleChannels(x[0], x[1]) },
			func(x [][]float64) []float64 {
				return times(x[0], slices.Concat(slices.Repeat(x[1][:4], 6), slices.Repeat(x[1][4:], 6)))
			}},
		{"sigmoid", [][]int{{3, 37}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Sigmoid(x[0]) },
			func(x [][]float64) []float64 {
				return each(x[0], func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
			}},
		{"linear with a weight of four dimensions", [][]int{{b, 2, 3, 4}, {5, 4, 1, 1}, {5}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.LinearOf(x[0], x[1], x[2]) },
			func(x [][]float64) []float64 { return refLinear(x[0], x[1], x[2], 4, 5) }},
		{"layer scale of three dimensions", [][]int{{b, 3, w}, {w, 1, 1}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.LayerScaleOf(x[0], x[1]) },
			func(x [][]float64) []float64 { return times(x[0], slices.Repeat(x[1], 3*b)) }},
		{"windows", [][]int{{b, 5, 4, 3}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return shiftedWindows().Partition(x[0]) },
			func(x [][]float64) []float64 { return refWindows(x[0], shiftedWindows(), b, 3) }},
		{"merged windows", [][]int{{b * 4, 6, 3}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return shiftedWindows().Merge(x[0]) },
			func(x [][]float64) []float64 { return refMergedWindows(x[0], shiftedWindows(), b, 3) }},
		{"attention within shifted windows", [][]int{{b * 4, 6, 3 * 4}, {2, 6, 6}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return shiftedWindows().Attention(x[0], x[1], 2) },
			func(x [][]float64) []float64 { return refWindowAttention(x[0], x[1], shiftedWindows(), b, 4, 2) }},
		{"attention within windows", [][]int{{b * 2, 6, 3 * 4}, {2, 6, 6}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.Windows{Image: [2]int{3, 4}, Window: [2]int{3, 2}}.Attention(x[0], x[1], 2)
			},
			func(x [][]float64) []float64 {
				return refWindowAttention(x[0], x[1], nn.Windows{Image: [2]int{3, 4}, Window: [2]int{3, 2}}, b, 4, 2)
			}},
		{"merged patches", [][]int{{b, 3, 4, 2}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.MergePatches(x[0]) },
			func(x [][]float64) []float64 {
				var y []float64
				for i := range b * 2 * 2 * 8 {
					ch, part, col, row, n := i%2, i/2%4, i/8%2, i/16%2, i/32
					r, q := 2*row+part%2, 2*col+part/2
					v := 0.0
					if r < 3 {
						v = x[0][((n*3+r)*4+q)*2+ch]
					}
					y = append(y, v)
				}
				return y
			}},
		gridPositions("grid positions", nn.Bicubic),
		gridPositions("grid positions, bilinear", nn.Bilinear),
		{"attention of grids", [][]int{{b, 7, 36}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.Attend(x[0], nn.Attending{Heads: 3, Keys: nn.KeysOfGrid(ints(g, "grids", []int32{2, 3, 1, 2}, b, 2), 1, 6)})
			},
			func(x [][]float64) []float64 {
				return refAttention(x[0], b, 7, 12, 3, func(n, _, j int) bool { return j < []int{7, 3}[n] })
			}},
		{"tokens from", [][]int{{b, 3, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.TokensFrom(x[0], 2) },
			func(x [][]float64) []float64 { return slices.Concat(x[0][2*w:3*w], x[0][5*w:]) }},
		{"patches", [][]int{{b, 2, 5, 4}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Patchify(x[0], 2) },
			func(x [][]float64) []float64 {
				var y []float64
				for i := range b * 4 * 4 * 2 {
					ch, col, row, patch, n := i%2, i/2%2, i/4%2, i/8%4, i/32
					y = append(y, x[0][((n*2+ch)*5+patch/2*2+row)*4+patch%2*2+col])
				}
				return y
			}},
		{"registers behind the class token", [][]int{{1, 2, w}, {b, 3, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Insert(x[0], x[1], 1) },
			func(x [][]float64) []float64 {
				return slices.Concat(x[1][:w], x[0], x[1][w:4*w], x[0], x[1][4*w:])
			}},
		{"cross attention", [][]int{{b, 3, 6}, {b, 4, 6}, {b, 4, 6}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.CrossAttention(x[0], x[1], x[2], 2) },
			func(x [][]float64) []float64 {
				var y []float64
				for i := range b * 3 {
					n := i / 3
					y = append(y, refAttentionPool(x[0][i*6:][:6], x[1][n*24:][:24], x[2][n*24:][:24], 1, 4, 6, 2)...)
				}
				return y
			}},
		{"repeat", [][]int{{1, 2, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Repeat(x[0], 3) },
			func(x [][]float64) []float64 { return slices.Repeat(x[0], 3) }},
		{"flatten", [][]int{{b, 2, 3}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Flatten(x[0]) },
			func(x [][]float64) []float64 { return x[0] }},
		{"registers", [][]int{{1, 2, w}, {b, 3, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Prepend(x[0], x[1]) },
			func(x [][]float64) []float64 { return slices.Concat(x[0], x[1][:3*w], x[0], x[1][3*w:]) }},
		{"silu", [][]int{{3, 37}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.SiLU(x[0]) },
			func(x [][]float64) []float64 { return each(x[0], refSiLU) }},
		{"swiglu", [][]int{{b, 3, w}, {b, 3, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.SwiGLU(x[0], x[1]) },
			func(x [][]float64) []float64 { return times(each(x[0], refSiLU), x[1]) }},
	}
}

func refSiLU(x float64) float64 { return x / (1 + math.Exp(-x)) }

func times(x, y []float64) []float64 {
	z := make([]float64, len(x))
	for i := range x {
		z[i] = x[i] * y[i]
	}
	return z
}

// refRotary turns by complex numbers what x, (b, l, 3w), has of queries and keys.
func refRotary(x []float64, c nn.RotaryGrid, at []int32, b, l, w int) []float64 {
	y := append([]float64{}, x...)
	for i := range b * l {
		t := i%l - c.Prefix
		if t < 0 {
			continue
		}
		if at != nil {
			t = int(at[i/l*(l-c.Prefix)+t])
		}
		places := []float64{float64(t%c.Grid[1]+c.Offset) / float64(c.Grid[1]), float64(t/c.Grid[1]+c.Offset) / float64(c.Grid[0])}
		if c.RowsFirst {
			places[0], places[1] = places[1], places[0]
		}
		for ch := 0; ch < 2*w; ch += 2 {
			j := ch % c.Head
			angle := places[j/(c.Head/2)] * float64(c.Reference) * math.Pow(10000, -float64(j%(c.Head/2)/2)/float64(c.Head/4))
			cos, sin := math.Cos(angle), math.Sin(angle)
			p, q := x[i*3*w+ch], x[i*3*w+ch+1]
			y[i*3*w+ch], y[i*3*w+ch+1] = p*cos-q*sin, q*cos+p*sin
		}
	}
	return y
}

// refBiasedAttention has bias (heads, l, l).
func refBiasedAttention(qkv, bias []float64, b, l, w, heads int) []float64 {
	d, y := w/heads, make([]float64, b*l*w)
	for n := range b * heads * l {
		i, head, sample := n%l, n/l%heads, n/l/heads
		row := func(t, part int) []float64 { return qkv[(sample*l+t)*3*w+part*w+head*d:][:d] }
		p, sum := make([]float64, l), 0.0
		for j := range p {
			var s float64
			for e, v := range row(i, 0) {
				s += v * row(j, 1)[e]
			}
			p[j] = math.Exp(s/math.Sqrt(float64(d)) + bias[(head*l+i)*l+j])
			sum += p[j]
		}
		for j := range p {
			for e, v := range row(j, 2) {
				y[(sample*l+i)*w+head*d+e] += p[j] / sum * v
			}
		}
	}
	return y
}

// refRelativePositions has one token before the patches of a grid of h by w.
func refRelativePositions(table []float64, h, w, heads int) []float64 {
	var y []float64
	for head := range heads {
		for i := -1; i < h*w; i++ {
			for j := -1; j < h*w; j++ {
				if i < 0 || j < 0 {
					y = append(y, 0)
					continue
				}
				dy, dx := i/w-j/w+h-1, i%w-j%w+w-1
				y = append(y, table[(dy*(2*w-1)+dx)*heads+head])
			}
		}
	}
	return y
}

// shiftedWindows reach beyond the image and join its sides.
func shiftedWindows() nn.Windows {
	return nn.Windows{Image: [2]int{5, 4}, Window: [2]int{3, 2}, Shift: [2]int{1, 1}}
}

// windowPlaces lists what pixel of b images is at each place of the windows, −1 for none,
// and the number of the strips of the rolled image that it is in.
func windowPlaces(w nn.Windows, b int) (places, strips []int) {
	grid := [2]int{(w.Image[0] + w.Window[0] - 1) / w.Window[0], (w.Image[1] + w.Window[1] - 1) / w.Window[1]}
	strip := func(axis, at int) int {
		n := 0
		for _, edge := range []int{w.Window[axis], w.Shift[axis]} {
			if w.Shift[axis] > 0 && at >= grid[axis]*w.Window[axis]-edge {
				n++
			}
		}
		return n
	}
	for n := range b {
		for wy := range grid[0] {
			for wx := range grid[1] {
				for i := range w.Window[0] {
					for j := range w.Window[1] {
						y, x := wy*w.Window[0]+i, wx*w.Window[1]+j
						place := -1
						if y < w.Image[0] && x < w.Image[1] {
							place = (n*w.Image[0]+(y+w.Shift[0])%w.Image[0])*w.Image[1] + (x+w.Shift[1])%w.Image[1]
						}
						places, strips = append(places, place), append(strips, 3*strip(0, y)+strip(1, x))
					}
				}
			}
		}
	}
	return places, strips
}

func refWindows(x []float64, w nn.Windows, b, c int) []float64 {
	places, _ := windowPlaces(w, b)
	y := make([]float64, len(places)*c)
	for i, p := range places {
		if p >= 0 {
			copy(y[i*c:][:c], x[p*c:])
		}
	}
	return y
}

func refMergedWindows(x []float64, w nn.Windows, b, c int) []float64 {
	places, _ := windowPlaces(w, b)
	y := make([]float64, b*w.Image[0]*w.Image[1]*c)
	for i, p := range places {
		if p >= 0 {
			copy(y[p*c:][:c], x[i*c:])
		}
	}
	return y
}

func refWindowAttention(qkv, bias []float64, w nn.Windows, b, width, heads int) []float64 {
	_, strips := windowPlaces(w, b)
	l := w.Window[0] * w.Window[1]
	var y []float64
	for i := 0; i < len(strips); i += l {
		masked := slices.Clone(bias)
		for j := range masked {
			if strips[i+j/l%l] != strips[i+j%l] {
				masked[j] -= 100
			}
		}
		y = append(y, refBiasedAttention(qkv[i*3*width:][:l*3*width], masked, 1, l, width, heads)...)
	}
	return y
}

// gridPositions has three images, of which two have the same grid, which is larger than the
// table in one direction and smaller in the other.
func gridPositions(name string, by nn.Interpolation) layer {
	const n, w = 7, 4
	grids := []int32{2, 3, 6, 1, 2, 3}
	return layer{name, [][]int{{3, n, w}, {1, 3, 2, w}},
		func(g *G.ExprGraph, x []*G.Node) *G.Node {
			return nn.GridPositions(x[0], ints(g, "grids", grids, 3, 2), x[1], by)
		},
		func(x [][]float64) []float64 {
			y := slices.Clone(x[0])
			for i := range 3 {
				h, v := int(grids[2*i]), int(grids[2*i+1])
				rows, cols := refResizing(3, h, by), refResizing(2, v, by)
				for t := range n {
					at := t
					if t >= h*v {
						at = 0
					}
					for r, wr := range rows[at/v] {
						for c, wc := range cols[at%v] {
							for j := range w {
								y[(i*n+t)*w+j] += wr * wc * x[1][(r*2+c)*w+j]
							}
						}
					}
				}
			}
			return y
		}}
}

// refResizing are the weights of each of from elements in each of to.
func refResizing(from, to int, by nn.Interpolation) [][]float64 {
	s := float64(from) / float64(to)
	wide := math.Max(s, 1)
	all := make([][]float64, to)
	for i := range all {
		var sum float64
		for j := range from {
			d := math.Abs(float64(j)+0.5-s*(float64(i)+0.5)) / wide
			var v float64
			switch {
			case by == nn.Bilinear:
				v = math.Max(0, 1-d)
			case d < 1:
				v = 1.5*d*d*d - 2.5*d*d + 1
			case d < 2:
				v = -0.5*d*d*d + 2.5*d*d - 4*d + 2
			}
			all[i], sum = append(all[i], v), sum+v
		}
		for j := range all[i] {
			all[i][j] /= sum
		}
	}
	return all
}
