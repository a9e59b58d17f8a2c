package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// KeysThrough marks tokens 0 … last[b] of each sample, for [Attending], [MeanOf] and
// [MaxOf]: (B) int32 → (B, L), of ones and zeros.
func KeysThrough(last *G.Node, length int) *G.Node {
	WantShape("padding", "last tokens", last, -1)
	b := last.Shape()[0]
	return Apply(Op{
		Name:  "padding",
		Shape: tensor.Shape{b, length}, // (B, L)
		Forward: func(y []float32, x Inputs) {
			clear(y)
			for i, t := range x.I32(0) {
				if t < 0 || int(t) >= length {
					Fail("padding", "last token %d of sample %d is outside its %d tokens", t, i, length)
				}
				for j := range y[i*length:][:t+1] {
					y[i*length+j] = 1
				}
			}
		},
	}, last)
}

// KeysExcept marks the tokens that are not the given one: (B, L) int32 → (B, L), of ones
// and zeros.
func KeysExcept(ids *G.Node, pad int32) *G.Node {
	WantShape("padding", "ids", ids, -1, -1)
	return Apply(Op{
		Name:  "padding",
		Shape: ids.Shape(), // (B, L)
		Forward: func(y []float32, x Inputs) {
			for i, id := range x.I32(0) {
				y[i] = 0
				if id != pad {
					y[i] = 1
				}
			}
		},
	}, ids)
}

// OnlyKeys has zeros in the place of tokens that are not marked: (B, L, W), (B, L) → (B, L,
// W).
func OnlyKeys(x, keys *G.Node) *G.Node {
	b, l, w := tokens("padding", x)
	WantShape("padding", "keys", keys, b, l)
	only := func(dst, src, keys []float32) {
		clear(dst)
		for t, k := range keys {
			if k != 0 {
				copy(dst[t*w:][:w], src[t*w:])
			}
		}
	}
	return Apply(Op{
		Name:     "padding",
		Shape:    x.Shape(),
		Forward:  func(y []float32, x Inputs) { only(y, x.F32(0), x.F32(1)) },
		Backward: []Pullback{Back(func(dx []float32, x Inputs, _, dy []float32) { only(dx, dy, x.F32(1)) }).Reads(1), {}},
	}, x, keys)
}

// MeanOf averages the tokens that are marked: (B, L, W), (B, L) → (B, W); zeros where
// there are none.
func MeanOf(x, keys *G.Node) *G.Node {
	b, l, w := tokens("mean", x)
	WantShape("mean", "keys", keys, b, l)
	// each visits the rows that are averaged, with their share in the mean.
	each := func(keys []float32, f func(sample, row int, share float32)) {
		for i := range b {
			n := 0
			for _, k := range keys[i*l:][:l] {
				if k != 0 {
					n++
				}
			}
			for t, k := range keys[i*l:][:l] {
				if k != 0 {
					f(i, i*l+t, 1/float32(n))
				}
			}
		}
	}
	return Apply(Op{
		Name:  "mean",
		Shape: tensor.Shape{b, w}, // (B, W)
		Forward: func(y []float32, x Inputs) {
			clear(y)
			each(x.F32(1), func(i, row int, share float32) { kernel.Axpy(y[i*w:][:w], share, x.F32(0)[row*w:][:w]) })
		},
		Backward: []Pullback{Back(func(dx []float32, x Inputs, _, dy []float32) {
			clear(dx)
			each(x.F32(1), func(i, row int, share float32) { kernel.Axpy(dx[row*w:][:w], share, dy[i*w:][:w]) })
		}).Reads(1), {}},
	}, x, keys)
}

// MaxOf is the largest number of each channel among the tokens that are marked: (B, L,
// W), (B, L) → (B, W); zeros where there are none. Of equal ones the first has the
// gradient.
func MaxOf(x, keys *G.Node) *G.Node {
	b, l, w := tokens("max", x)
	WantShape("max", "keys", keys, b, l)
	from := make([]int, b*w) // the element of x that each is, -1 for none
	return Apply(Op{
		Name:  "max",
		Shape: tensor.Shape{b, w}, // (B, W)
		Forward: func(y []float32, x Inputs) {
			in, keys := x.F32(0), x.F32(1)
			clear(y)
			for i := range from {
				from[i] = -1
			}
			for t := range b * l {
				if keys[t] == 0 {
					continue
				}
				for j := range w {
					at := t/l*w + j
					if v := in[t*w+j]; from[at] < 0 || v > y[at] {
						y[at], from[at] = v, t*w+j
					}
				}
			}
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			clear(dx)
			for at, i := range from {
				if i >= 0 {
					dx[i] = dy[at]
				}
			}
		}).Reads(), {}},
	}, x, keys)
}
