package nn

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// AttentionPool is multi-head attention of one query a sample, softmax(q·kᵀ/√d)·v:
// q (B, W), or (1, W) for the same query in all samples, k and v (B, L, W) →
// (B, W).
func AttentionPool(q, k, v *G.Node, heads int) *G.Node {
	return MaskedAttentionPool(q, k, v, nil, heads)
}

// MaskedAttentionPool is [AttentionPool] of the keys that are marked, (B, L), by what is not
// zero; a sample that has none gets zeros. Nil marks all.
func MaskedAttentionPool(q, k, v, keys *G.Node, heads int) *G.Node {
	b, l, w := tokens("attention pool", k)
	WantShape("attention pool", "values", v, b, l, w)
	WantShape("attention pool", "query", q, -1, w)
	if n := q.Shape()[0]; n != 1 && n != b {
		Fail("attention pool", "%d queries for %d samples", n, b)
	}
	if heads < 1 || l < 1 || w%heads != 0 {
		Fail("attention pool", "keys %v do not split into %d heads", k.Shape(), heads)
	}
	a := &attentionPool{b: b, l: l, w: w, heads: heads, shared: q.Shape()[0] == 1}
	in := []*G.Node{q, k, v}
	back := []Pullback{Back(a.backwardQuery), Back(a.backwardKeys), Back(a.backwardValues)}
	if keys != nil {
		WantShape("attention pool", "keys", keys, b, l)
		in, back = append(in, keys), append(back, Pullback{})
	}
	return Apply(Op{
		Name:     "attention pool",
		Shape:    tensor.Shape{b, w}, // (B, W)
		Forward:  a.forward,
		Backward: back,

		relevance: &relevance{1, l, a.relevance},
	}, in...)
}

type attentionPool struct {
	b, l, w, heads int
	shared         bool // one query for all samples
}

func (a *attentionPool) forward(y []float32, x Inputs) {
	v := x.F32(2)
	clear(y)
	a.each(x, func(h head, p []float32) {
		for t := range a.l {
			kernel.Axpy(h.of(y), p[t], a.token(v, h, t))
		}
	})
}

// With p = softmax(s) and s = k·q/√d:
//
//	dv = p·dyᵀ   dp = v·dy   ds = p∘(dp − Σ p∘dp)   dq = dsᵀ·k/√d   dk = ds·qᵀ/√d
func (a *attentionPool) backwardValues(dv []float32, x Inputs, _, dy []float32) {
	clear(dv)
	a.each(x, func(h head, p []float32) {
		for t := range a.l {
			kernel.Axpy(a.token(dv, h, t), p[t], h.of(dy))
		}
	})
}

func (a *attentionPool) backwardKeys(dk []float32, x Inputs, _, dy []float32) {
	q := x.F32(0)
	clear(dk)
	a.each(x, func(h head, p []float32) {
		a.scores(p, h, x.F32(2), dy)
		for t := range a.l {
			kernel.Axpy(a.token(dk, h, t), p[t], a.query(q, h))
		}
	})
}

func (a *attentionPool) backwardQuery(dq []float32, x Inputs, _, dy []float32) {
	k := x.F32(1)
	clear(dq)
	a.each(x, func(h head, p []float32) {
		a.scores(p, h, x.F32(2), dy)
		for t := range a.l {
			kernel.Axpy(a.query(dq, h), p[t], a.token(k, h, t))
		}
	})
}

// scores replaces the probabilities p by ds/√d.
func (a *attentionPool) scores(p []float32, h head, v, dy []float32) {
	dp := make([]float32, a.l)
	for t := range dp {
		dp[t] = kernel.Dot(a.token(v, h, t), h.of(dy))
	}
	kernel.SoftmaxBackward(p, p, dp, a.scale())
}

// each calls f with the probabilities of every head of every sample: the heads
// in parallel, the samples of one in turn, for they may share a query.
func (a *attentionPool) each(x Inputs, f func(h head, p []float32)) {
	q, k := x.F32(0), x.F32(1)
	parallel.For(a.heads, func(i int) {
		p := make([]float32, a.l)
		d := a.w / a.heads
		for b := range a.b {
			h := head{sample: b, from: b*a.w + i*d, first: i * d, d: d}
			for t := range p {
				p[t] = a.scale() * kernel.Dot(a.query(q, h), a.token(k, h, t))
			}
			if len(x) == 4 {
				hide(p, x.F32(3)[b*a.l:][:a.l])
			}
			if !visible(p) {
				clear(p)
			} else {
				kernel.Softmax(p, p)
			}
			f(h, p)
		}
	})
}

func (a *attentionPool) scale() float32 { return float32(1 / math.Sqrt(float64(a.w/a.heads))) }

// head is one head of one sample: d channels from first on, which begin at
// element from of a (B, W).
type head struct{ sample, from, first, d int }

func (h head) of(x []float32) []float32 { return x[h.from:][:h.d] }

func (a *attentionPool) token(x []float32, h head, t int) []float32 {
	return x[(h.sample*a.l+t)*a.w+h.first:][:h.d]
}

func (a *attentionPool) query(x []float32, h head) []float32 {
	if a.shared {
		return x[h.first:][:h.d]
	}
	return h.of(x)
}
