package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// relevance is what [Relevance] asks an attention for.
type relevance struct {
	queries, keys int // of a sample
	// fill writes the (B, Q, K) means over the heads of max(0, P∘dP).
	fill func(y []float32, x Inputs, dy []float32)
}

// Attentions lists the attentions of a graph from its inputs on: what [Attention] and its
// kin and [AttentionPool] return.
func Attentions(g *G.ExprGraph) (found G.Nodes, err error) {
	order, err := G.Sort(g) // outputs first
	if err != nil {
		return nil, err
	}
	for i := len(order) - 1; i >= 0; i-- {
		if o, ok := order[i].Op().(*opNode); ok && o.relevance != nil {
			found = append(found, order[i])
		}
	}
	return found, nil
}

// Relevance is how much each query owes to each key, where dy is the gradient of some cost
// by the output of an attention, one of [Attentions]: the mean over the heads of max(0,
// P∘dP), of the probabilities P and the cost's gradient by them (Chefer et al., 2021,
// Generic Attention-model Explainability, equation 5): (B, Q, K), with one query where the
// attention is a pool.
func Relevance(attention, dy *G.Node) *G.Node {
	o, ok := attention.Op().(*opNode)
	if !ok || o.relevance == nil {
		Fail("relevance", "the node is no attention")
	}
	WantShape("relevance", "gradient", dy, attention.Shape()...)
	r, in := o.relevance, children(attention.Graph(), attention)
	return Apply(Op{
		Name:    "relevance",
		Shape:   tensor.Shape{attention.Shape()[0], r.queries, r.keys},
		Forward: func(y []float32, x Inputs) { r.fill(y, x[:len(in)], x.F32(len(in))) },
	}, append(in, dy)...)
}

func (a *attention) relevance(y []float32, x Inputs, dy []float32) {
	qkv, d, area := x.F32(0), a.w/a.heads, a.l*a.l
	all := make([]float32, a.b*a.heads*area)
	a.each(qkv, dy, func(sample, head int) {
		seen, keys := a.keys(x, sample)
		buf := a.scratch.get(area)
		defer a.scratch.put(buf)
		out := all[(sample*a.heads+head)*area:][:area]
		q, k, v := a.split(qkv, sample, head)
		a.probabilities(out, q, k, a.biases(x, sample, head), seen, keys)
		kernel.GemmSerial(kernel.NT, a.l, keys, d, 1, dy[sample*a.l*a.w+head*d:], a.w, v, 3*a.w, 0, *buf, a.l)
		for i := range a.l {
			gain(out[i*a.l:][:keys], (*buf)[i*a.l:])
			clear(out[i*a.l+keys : (i+1)*a.l])
		}
	})
	meanOfHeads(y, all, a.b, a.heads)
}

func (a *attentionPool) relevance(y []float32, x Inputs, dy []float32) {
	v, all := x.F32(2), make([]float32, a.b*a.heads*a.l)
	a.each(x, func(h head, p []float32) {
		dp := make([]float32, a.l)
		for t := range dp {
			dp[t] = kernel.Dot(a.token(v, h, t), h.of(dy))
		}
		gain(p, dp)
		copy(all[(h.sample*a.heads+h.first/h.d)*a.l:], p)
	})
	meanOfHeads(y, all, a.b, a.heads)
}

// gain replaces probabilities by max(0, p∘dp).
func gain(p, dp []float32) {
	for i, d := range dp[:len(p)] {
		p[i] = max(0, p[i]*d)
	}
}

// meanOfHeads averages (B, H, n) over the heads, in their order.
func meanOfHeads(y, all []float32, b, heads int) {
	n := len(y) / b
	parallel.For(b, func(i int) {
		clear(y[i*n:][:n])
		for h := range heads {
			kernel.Axpy(y[i*n:][:n], 1/float32(heads), all[(i*heads+h)*n:][:n])
		}
	})
}
