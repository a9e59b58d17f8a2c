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
