package nn

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// CrossAttention is multi-head attention of some tokens to others, softmax(q·kᵀ/√d)·v: q
// (B, Q, W), k and v (B, L, W) → (B, Q, W).
func CrossAttention(q, k, v *G.Node, heads int) *G.Node {
	b, n, w := tokens("cross attention", q)
	WantShape("cross attention", "keys", k, b, -1, w)
	l := k.Shape()[1]
	WantShape("cross attention", "values", v, b, l, w)
	if heads < 1 || n < 1 || l < 1 || w%heads != 0 {
		Fail("cross attention", "queries %v and keys %v do not split into %d heads", q.Shape(), k.Shape(), heads)
	}
	a := &crossAttention{b: b, n: n, l: l, w: w, heads: heads}
	return Apply(Op{
		Name:     "cross attention",
		Shape:    tensor.Shape{b, n, w}, // (B, Q, W)
		Forward:  a.forward,
		Backward: []Pullback{Back(a.backwardQueries), Back(a.backwardKeys), Back(a.backwardValues)},
	}, q, k, v)
}

type crossAttention struct {
	b, n, l, w, heads int
	scratch           scratch
}

func (a *crossAttention) forward(y []float32, x Inputs) {
	v, d := x.F32(2), a.w/a.heads
	a.each(x, func(q, k int, p, _ []float32) {
		kernel.GemmSerial(kernel.NN, a.n, d, a.l, 1, p, a.l, v[k:], a.w, 0, y[q:], a.w)
	})
}

// The gradients are those of [Attention].
func (a *crossAttention) backwardValues(dv []float32, x Inputs, _, dy []float32) {
	d := a.w / a.heads
	a.each(x, func(q, k int, p, _ []float32) {
		kernel.GemmSerial(kernel.TN, a.l, d, a.n, 1, p, a.l, dy[q:], a.w, 0, dv[k:], a.w)
	})
}

func (a *crossAttention) backwardQueries(dq []float32, x Inputs, _, dy []float32) {
	keys, d := x.F32(1), a.w/a.heads
	a.each(x, func(q, k int, p, ds []float32) {
		a.scores(ds, p, dy[q:], x.F32(2)[k:])
		kernel.GemmSerial(kernel.NN, a.n, d, a.l, 1, ds, a.l, keys[k:], a.w, 0, dq[q:], a.w)
	})
}

func (a *crossAttention) backwardKeys(dk []float32, x Inputs, _, dy []float32) {
	queries, d := x.F32(0), a.w/a.heads
	a.each(x, func(q, k int, p, ds []float32) {
		a.scores(ds, p, dy[q:], x.F32(2)[k:])
		kernel.GemmSerial(kernel.TN, a.l, d, a.n, 1, ds, a.l, queries[q:], a.w, 0, dk[k:], a.w)
	})
}

// scores writes ds/√d, (Q, L).
func (a *crossAttention) scores(ds, p, dy, v []float32) {
	kernel.GemmSerial(kernel.NT, a.n, a.l, a.w/a.heads, 1, dy, a.w, v, a.w, 0, ds, a.l)
	for i := range a.n {
		kernel.SoftmaxBackward(ds[i*a.l:][:a.l], p[i*a.l:][:a.l], ds[i*a.l:][:a.l], a.scale())
	}
}

func (a *crossAttention) scale() float32 { return float32(1 / math.Sqrt(float64(a.w/a.heads))) }

// each calls f for every head of every sample, in parallel, with where its queries and its
// keys begin, the probabilities, (Q, L), and room for as many numbers.
func (a *crossAttention) each(x Inputs, f func(q, k int, p, room []float32)) {
	d, size := a.w/a.heads, a.n*a.l
	parallel.For(a.b*a.heads, func(i int) {
		buf := a.scratch.get(2 * size)
		defer a.scratch.put(buf)
		p, room := (*buf)[:size], (*buf)[size:2*size]
		q, k := i/a.heads*a.n*a.w+i%a.heads*d, i/a.heads*a.l*a.w+i%a.heads*d
		kernel.GemmSerial(kernel.NT, a.n, a.l, d, a.scale(), x.F32(0)[q:], a.w, x.F32(1)[k:], a.w, 0, p, a.l)
		for j := range a.n {
			kernel.Softmax(p[j*a.l:][:a.l], p[j*a.l:][:a.l])
		}
		f(q, k, p, room)
	})
}

// Repeat has the same tokens in each of b samples: (1, L, W) → (B, L, W).
func Repeat(x *G.Node, b int) *G.Node {
	WantShape("repeat", "input", x, 1, -1, -1)
	s := x.Shape()
	each := s[1] * s[2]
	return Apply(Op{
		Name:  "repeat",
		Shape: tensor.Shape{b, s[1], s[2]}, // (B, L, W)
		Forward: func(y []float32, x Inputs) {
			for i := range b {
				copy(y[i*each:][:each], x.F32(0))
			}
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
			clear(dx)
			for i := range b {
				kernel.Axpy(dx, 1, dy[i*each:][:each])
			}
		}).Reads()},
	}, x)
}

// Flatten joins the tokens of each sample to one vector: (B, L, W) → (B, L·W).
func Flatten(x *G.Node) *G.Node {
	b, l, w := tokens("flatten", x)
	return Apply(Op{
		Name:     "flatten",
		Shape:    tensor.Shape{b, l * w}, // (B, L·W)
		Forward:  func(y []float32, x Inputs) { copy(y, x.F32(0)) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) { copy(dx, dy) }).Reads()},
	}, x)
}
