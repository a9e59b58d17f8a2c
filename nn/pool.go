package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// Token picks token i of each sample: (B, L, W) → (B, W).
func Token(x *G.Node, i int) *G.Node {
	b, l, _ := tokens("token", x)
	if i < 0 || i >= l {
		Fail("token", "position %d of %d", i, l)
	}
	return pick(x, func(Inputs, int) int { return i }, b)
}

// TokenAt picks token at[b] of sample b: (B, L, W), (B) int32 → (B, W).
func TokenAt(x, at *G.Node) *G.Node {
	b, l, _ := tokens("token", x)
	WantShape("token", "positions", at, b)
	return pick(x, func(in Inputs, i int) int {
		t := int(in.I32(0)[i])
		if t < 0 || t >= l {
			Fail("token", "position %d of sample %d is outside its %d tokens", t, i, l)
		}
		return t
	}, b, at)
}

func pick(x *G.Node, at func(in Inputs, sample int) int, b int, more ...*G.Node) *G.Node {
	l, w := x.Shape()[1], x.Shape()[2]
	reads := make([]int, len(more))
	for i := range more {
		reads[i] = 1 + i
	}
	back := make([]Pullback, 1+len(more))
	back[0] = Back(func(dx []float32, in Inputs, _, dy []float32) {
		clear(dx)
		for i := range b {
			copy(dx[(i*l+at(in[1:], i))*w:][:w], dy[i*w:])
		}
	}).Reads(reads...)
	return Apply(Op{
		Name:  "token",
		Shape: tensor.Shape{b, w}, // (B, W)
		Forward: func(y []float32, in Inputs) {
			for i := range b {
				copy(y[i*w:][:w], in.F32(0)[(i*l+at(in[1:], i))*w:])
			}
		},
		Backward: back,
		choice:   at,
	}, append([]*G.Node{x}, more...)...)
}

// Mean averages each sample's tokens from the given one on: (B, L, W) → (B, W).
func Mean(x *G.Node, from int) *G.Node {
	b, l, _ := tokens("mean", x)
	if from < 0 || from >= l {
		Fail("mean", "no tokens from %d of %d on", from, l)
	}
	return mean(x, func(Inputs, int) (int, int) { return from, l }, b)
}

// MeanThrough averages tokens 0 … last[b] of sample b: (B, L, W), (B) int32 →
// (B, W).
func MeanThrough(x, last *G.Node) *G.Node {
	b, l, _ := tokens("mean", x)
	WantShape("mean", "last tokens", last, b)
	return mean(x, func(in Inputs, i int) (int, int) {
		t := int(in.I32(1)[i])
		if t < 0 || t >= l {
			Fail("mean", "last token %d of sample %d is outside its %d tokens", t, i, l)
		}
		return 0, t + 1
	}, b, last)
}

func mean(x *G.Node, span func(in Inputs, sample int) (from, to int), b int, more ...*G.Node) *G.Node {
	l, w := x.Shape()[1], x.Shape()[2]
	back := make([]Pullback, 1+len(more))
	back[0] = Back(func(dx []float32, in Inputs, _, dy []float32) {
		clear(dx)
		for i := range b {
			from, to := span(in, i)
			for t := from; t < to; t++ {
				kernel.Axpy(dx[(i*l+t)*w:][:w], 1/float32(to-from), dy[i*w:][:w])
			}
		}
	})
	return Apply(Op{
		Name:  "mean",
		Shape: tensor.Shape{b, w}, // (B, W)
		Forward: func(y []float32, in Inputs) {
			for i := range b {
				from, to := span(in, i)
				row := y[i*w:][:w]
				kernel.ColSum(row, in.F32(0)[(i*l+from)*w:][:(to-from)*w], to-from, w)
				for j := range row {
					row[j] /= float32(to - from)
				}
			}
		},
		Backward: back,
	}, append([]*G.Node{x}, more...)...)
}

func tokens(layer string, x *G.Node) (b, l, w int) {
	WantShape(layer, "input", x, -1, -1, -1)
	s := x.Shape()
	return s[0], s[1], s[2]
}

// SpatialMean averages the pixels of each sample: (B, H, W, C) → (B, C).
func SpatialMean(x *G.Node) *G.Node {
	WantShape("spatial mean", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	b, area, c := s[0], s[1]*s[2], s[3]
	share := 1 / float32(area)
	return Apply(Op{
		Name:  "spatial mean",
		Shape: tensor.Shape{b, c}, // (B, C)
		Forward: func(y []float32, x Inputs) {
			for i := range b {
				row := y[i*c:][:c]
				kernel.ColSum(row, x.F32(0)[i*area*c:][:area*c], area, c)
				for j := range row {
					row[j] *= share
				}
			}
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			clear(dx)
			for i := range b * area {
				kernel.Axpy(dx[i*c:][:c], share, dy[i/area*c:][:c])
			}
		}).Reads()},
	}, x)
}
