package nn_test

import (
	"math"

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
	}
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
