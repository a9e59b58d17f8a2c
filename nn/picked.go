package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// This file is the attention of a block of which one token of each sample is needed: its query alone
// is computed, and what is lost with the others'. Sums leave out zeros only, so values and gradients have
// the bits that they have where all queries are computed and one is picked.

// choice is one token of each sample, as [Token] and [TokenAt] choose it.
type choice struct {
	at   func(in Inputs, sample int) int // its position, by the values of more
	more G.Nodes
}

// choiceOf is how a node was picked from another; nil where it was not by [Token] or [TokenAt].
func choiceOf(n *G.Node) *choice {
	if o, ok := n.Op().(*opNode); ok && o.choice != nil {
		return &choice{o.choice, children(n.Graph(), n)[1:]}
	}
	return nil
}

// attendPicked is the attention of the tokens that were picked, (B, W), among the block's normalised
// input, (B, L, W).
func (b *Block) attendPicked(h *G.Node, causal bool, c *choice) *G.Node {
	in, g := b.InProj, h.Graph()
	if w := in.Weight; in.Bias == nil || w.mapped || w.Halves() || w.adapter != nil {
		return attendPicked(in.Forward(h), b.Heads, causal, c) // what has other forms of the weight computes all rows
	}
	return attendPicked(projectPicked(h, in.Weight.Node(g), in.Bias.Node(g), c), b.Heads, causal, c)
}

// projectPicked is [Project] to queries, keys and values, but for queries that were not picked,
// which are zeros: (B, L, W), (3W, W), (3W) → (B, L, 3W).
func projectPicked(x, weight, bias *G.Node, c *choice) *G.Node {
	b, l, w := tokens("picked queries", x)
	WantShape("picked queries", "weight", weight, 3*w, w)
	WantShape("picked queries", "bias", bias, 3*w)
	p := &pickedProjection{b: b, l: l, w: w, at: c.at}
	reads := []int{0}
	for i := range c.more {
		reads = append(reads, 3+i)
	}
	return Apply(Op{
		Name:    "picked queries",
		Shape:   tensor.Shape{b, l, 3 * w}, // (B, L, 3W)
		Forward: p.forward,
		Backward: append([]Pullback{
			Back(p.backward).Reads(append([]int{1}, reads[1:]...)...),
			Back(func(dw []float32, x Inputs, _, dy []float32) { p.backwardParams(dw, make([]float32, 3*w), x, dy) }).Reads(reads...),
			Back(func(db []float32, x Inputs, _, dy []float32) {
				kernel.ColSum(db, dy, b*l, 3*w)
				p.backwardBias(db[:w], x, dy)
			}).Reads(reads[1:]...),
		}, make([]Pullback, len(c.more))...),
		joint: &joint{inputs: []int{1, 2}, reads: reads, fn: func(d [][]float32, x Inputs, dy []float32, _ step) {
			p.backwardParams(d[0], d[1], x, dy)
		}},
	}, append(G.Nodes{x, weight, bias}, c.more...)...)
}

type pickedProjection struct {
	b, l, w int
	at      func(in Inputs, sample int) int
	scratch scratch
}

// row is which of all tokens is the picked one of a sample.
func (p *pickedProjection) row(x Inputs, sample int) int { return sample*p.l + p.at(x[3:], sample) }

// gather copies the first n numbers of the picked rows, which are ld long.
func (p *pickedProjection) gather(dst []float32, x Inputs, src []float32, n, ld int) {
	for i := range p.b {
		copy(dst[i*n:][:n], src[p.row(x, i)*ld:])
	}
}

func (p *pickedProjection) forward(y []float32, x Inputs) {
	h, weight, bias, w, ld := x.F32(0), x.F32(1), x.F32(2), p.w, 3*p.w
	kernel.GemmBias(kernel.NT, p.b*p.l, 2*w, w, h, w, weight[w*w:], w, bias[w:], y[w:], ld)
	spans(p.b*p.l, w, func(from, to int) {
		for i := from; i < to; i++ {
			clear(y[i*ld:][:w])
		}
	})
	buf := p.scratch.get(2 * p.b * w)
	defer p.scratch.put(buf)
	in, q := (*buf)[:p.b*w], (*buf)[p.b*w:2*p.b*w]
	p.gather(in, x, h, w, w)
	kernel.GemmBias(kernel.NT, p.b, w, w, in, w, weight, w, bias[:w], q, w)
	for i := range p.b {
		copy(y[p.row(x, i)*ld:], q[i*w:][:w])
	}
}

// backward begins where the queries' gradients end, and goes through all of the picked rows.
func (p *pickedProjection) backward(dx []float32, x Inputs, _, dy []float32) {
	weight, w, ld := x.F32(1), p.w, 3*p.w
	for k, beta := w, float32(0); k < ld; beta = 1 { // to where a chain of sums ends, and then the rest
		n := ld - k
		if rest := kernel.Chain - k%kernel.Chain; beta == 0 && rest < kernel.Chain {
			n = min(n, rest)
		}
		kernel.Gemm(kernel.NN, p.b*p.l, w, n, 1, dy[k:], ld, weight[k*w:], w, beta, dx, w)
		k += n
	}
	buf := p.scratch.get(4 * p.b * w)
	defer p.scratch.put(buf)
	in, out := (*buf)[:p.b*ld], (*buf)[p.b*ld:][:p.b*w]
	p.gather(in, x, dy, ld, ld)
	kernel.Gemm(kernel.NN, p.b, w, ld, 1, in, ld, weight, w, 0, out, w)
	for i := range p.b {
		copy(dx[p.row(x, i)*w:], out[i*w:][:w])
	}
}

// backwardParams computes the gradients of weight and bias. Rows of one chain of sums are added up
// together, those that were picked of them.
func (p *pickedProjection) backwardParams(dw, db []float32, x Inputs, dy []float32) {
	h, w, ld := x.F32(0), p.w, 3*p.w
	kernel.GemmTNSum(2*w, w, p.b*p.l, dy[w:], ld, h, w, dw[w*w:], w, db[w:])
	p.backwardBias(db[:w], x, dy)
	buf := p.scratch.get(2 * p.b * w)
	defer p.scratch.put(buf)
	dq, in := (*buf)[:p.b*w], (*buf)[p.b*w:2*p.b*w]
	p.gather(dq, x, dy, w, ld)
	p.gather(in, x, h, w, w)
	p.runs(x, kernel.Chain, func(i, n int, beta float32) {
		kernel.Gemm(kernel.TN, w, w, n, 1, dq[i*w:], w, in[i*w:], w, beta, dw, w)
	})
}

// backwardBias computes the gradient of the queries' bias.
func (p *pickedProjection) backwardBias(db []float32, x Inputs, dy []float32) {
	w := p.w
	buf := p.scratch.get((p.b + 1) * w)
	defer p.scratch.put(buf)
	dq, sum := (*buf)[:p.b*w], (*buf)[p.b*w:][:w]
	p.gather(dq, x, dy, w, 3*w)
	clear(db)
	p.runs(x, kernel.ColumnRows, func(i, n int, _ float32) {
		kernel.ColSum(sum, dq[i*w:][:n*w], n, w)
		kernel.Add(db, db, sum)
	})
}

// runs calls f for the samples whose picked rows lie within the same so many rows, with 0 for the
// first and then with 1.
func (p *pickedProjection) runs(x Inputs, rows int, f func(from, n int, beta float32)) {
	beta := float32(0)
	for from := 0; from < p.b; beta = 1 {
		to := from + 1
		for to < p.b && p.row(x, to)/rows == p.row(x, from)/rows {
			to++
		}
		f(from, to-from, beta)
		from = to
	}
}

// attendPicked is [Attention] of the tokens that were picked: (B, L, 3W) → (B, W).
func attendPicked(qkv *G.Node, heads int, causal bool, c *choice) *G.Node {
	a := pickedAttention{newAttention(qkv, Attending{Heads: heads, Causal: causal}), c.at}
	reads := []int{0}
	for i := range c.more {
		reads = append(reads, 1+i)
	}
	return Apply(Op{
		Name:     "attention",
		Shape:    tensor.Shape{a.b, a.w}, // (B, W)
		Forward:  a.forward,
		Backward: append([]Pullback{Back(a.backward).Reads(reads...)}, make([]Pullback, len(c.more))...),

		relevance: &relevance{a.l, a.l, a.relevance},
		choice:    c.at,
	}, append(G.Nodes{qkv}, c.more...)...)
}

// Query says whether an attention, one of [Attentions], is of one token of each sample alone, as that of a
// last block is whose other tokens nothing reads: of how many tokens, and of which when the graph
// has run. Its relevance has a row for each token, zeros but for that one.
func Query(attention *G.Node) (tokens int, at func(sample int) int, ok bool) {
	o, ours := attention.Op().(*opNode)
	if !ours || o.relevance == nil || o.choice == nil {
		return 0, nil, false
	}
	return o.relevance.keys, func(sample int) int {
		var in Inputs
		for _, n := range children(attention.Graph(), attention)[1:] {
			in = append(in, n.Value())
		}
		return o.choice(in, sample)
	}, true
}

type pickedAttention struct {
	*attention
	at func(in Inputs, sample int) int
}

// probabilities of the picked query, the first of q, number i: of the keys that it sees.
func (a pickedAttention) probabilities(p, q, k []float32, i int) []float32 {
	_, keys := a.span(i, a.l)
	p = p[:keys]
	kernel.GemmSerial(kernel.NT, 1, keys, a.w/a.heads, a.scale, q, 3*a.w, k, 3*a.w, 0, p, keys)
	if !visible(p) {
		clear(p)
		return p
	}
	kernel.Softmax(p, p)
	return p
}

func (a pickedAttention) forward(y []float32, x Inputs) {
	qkv, d, ld := x.F32(0), a.w/a.heads, 3*a.w
	a.each(qkv, nil, func(sample, head int) {
		buf := a.scratch.get(a.l)
		defer a.scratch.put(buf)
		q, k, v := a.split(qkv, sample, head)
		i := a.at(x[1:], sample)
		p := a.probabilities(*buf, q[i*ld:], k, i)
		kernel.GemmSerial(kernel.NN, 1, d, len(p), 1, p, len(p), v, ld, 0, y[sample*a.w+head*d:], a.w)
	})
}

// backward is that of attention, see there, for one query.
func (a pickedAttention) backward(dqkv []float32, x Inputs, _, dy []float32) {
	qkv, d, ld := x.F32(0), a.w/a.heads, 3*a.w
	a.each(qkv, nil, func(sample, head int) {
		buf := a.scratch.get(2 * a.l)
		defer a.scratch.put(buf)
		q, k, v := a.split(qkv, sample, head)
		dq, dk, dv := a.split(dqkv, sample, head)
		i := a.at(x[1:], sample)
		q, dy := q[i*ld:], dy[sample*a.w+head*d:]
		p := a.probabilities((*buf)[:a.l], q, k, i)
		n := len(p)
		ds := (*buf)[a.l:][:n]
		for j := range a.l {
			clear(dq[j*ld:][:d])
			if j >= n {
				clear(dk[j*ld:][:d])
				clear(dv[j*ld:][:d])
			}
		}
		kernel.GemmSerial(kernel.TN, n, d, 1, 1, p, n, dy, a.w, 0, dv, ld)
		kernel.GemmSerial(kernel.NT, 1, n, d, 1, dy, a.w, v, ld, 0, ds, n)
		kernel.SoftmaxBackward(ds, p, ds, a.scale)
		kernel.GemmSerial(kernel.NN, 1, d, n, 1, ds, n, k, ld, 0, dq[i*ld:], ld)
		kernel.GemmSerial(kernel.TN, n, d, 1, 1, ds, n, q, ld, 0, dk, ld)
	})
}

// relevance is that of attention; queries that were not picked owe nothing.
func (a pickedAttention) relevance(y []float32, x Inputs, dy []float32) {
	qkv, d, ld := x.F32(0), a.w/a.heads, 3*a.w
	all, mean := make([]float32, a.b*a.heads*a.l), make([]float32, a.b*a.l)
	a.each(qkv, nil, func(sample, head int) {
		q, k, v := a.split(qkv, sample, head)
		i := a.at(x[1:], sample)
		p, dp := a.probabilities(all[(sample*a.heads+head)*a.l:][:a.l], q[i*ld:], k, i), make([]float32, a.l)
		kernel.GemmSerial(kernel.NT, 1, len(p), d, 1, dy[sample*a.w+head*d:], a.w, v, ld, 0, dp, a.l)
		gain(p, dp)
	})
	meanOfHeads(mean, all, a.b, a.heads)
	clear(y)
	for sample := range a.b {
		copy(y[(sample*a.l+a.at(x[1:], sample))*a.l:], mean[sample*a.l:][:a.l])
	}
}
