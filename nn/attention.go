package nn

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Mask says which keys a query attends to.
type Mask uint8

const (
	NoMask  Mask = iota // all of them
	Causal              // itself and those before it
	Padding             // those up to the sample's last token
)

// Attention is multi-head scaled dot-product attention, softmax(q·kᵀ/√d)·v
// (Vaswani et al., 2017), on packed queries, keys and values: (B, L, 3W) →
// (B, L, W). Last, (B) int32, holds each sample's last token for the padding mask
// and may be nil otherwise.
//
// The attention probabilities are never kept: the gradient recomputes them from q
// and k, at a cost of about L/(6·W) of a block.
func Attention(qkv *G.Node, heads int, mask Mask, last *G.Node) *G.Node {
	WantShape("attention", "qkv", qkv, -1, -1, -1)
	s := qkv.Shape()
	b, l, w := s[0], s[1], s[2]/3
	if heads < 1 || s[2]%3 != 0 || w%heads != 0 {
		Fail("attention", "qkv %v does not split into q, k and v of %d heads", s, heads)
	}
	a := &attention{b: b, l: l, w: w, heads: heads, mask: mask}
	in := []*G.Node{qkv}
	if mask == Padding {
		if last == nil {
			Fail("attention", "a padding mask without last tokens")
		}
		WantShape("attention", "last tokens", last, b)
		in = append(in, last)
	}
	back := make([]Pullback, len(in))
	back[0] = Back(a.backward)
	return Apply(Op{
		Name:     "attention",
		Shape:    tensor.Shape{b, l, w}, // (B, L, W)
		Forward:  a.forward,
		Backward: back,
	}, in...)
}

// BiasedAttention is [Attention] whose scores have a bias added to them, (H, L, L), of
// each query and key the same in all samples.
func BiasedAttention(qkv, bias *G.Node, heads int) *G.Node {
	return biasedAttention(qkv, bias, heads, nil)
}

// biasedAttention also adds constants, (L, L) each, to the scores of every sample i:
// masks[i mod len(masks)], nil for none.
func biasedAttention(qkv, bias *G.Node, heads int, masks [][]float32) *G.Node {
	WantShape("attention", "qkv", qkv, -1, -1, -1)
	s := qkv.Shape()
	b, l, w := s[0], s[1], s[2]/3
	if heads < 1 || s[2]%3 != 0 || w%heads != 0 {
		Fail("attention", "qkv %v does not split into q, k and v of %d heads", s, heads)
	}
	WantShape("attention", "bias", bias, heads, l, l)
	a := &attention{b: b, l: l, w: w, heads: heads, biased: true, masks: masks}
	return Apply(Op{
		Name:     "attention",
		Shape:    tensor.Shape{b, l, w}, // (B, L, W)
		Forward:  a.forward,
		Backward: []Pullback{Back(a.backward), Back(a.backwardBias)},
	}, qkv, bias)
}

type attention struct {
	b, l, w, heads int
	mask           Mask
	biased         bool // the second input is a bias of the scores
	masks          [][]float32
	scratch        scratch
}

func (a *attention) forward(y []float32, x Inputs) {
	qkv, d := x.F32(0), a.w/a.heads
	a.each(x, func(sample, head, keys int) {
		p := a.scratch.get(a.l * a.l)
		defer a.scratch.put(p)
		q, k, v := a.split(qkv, sample, head)
		a.probabilities(*p, q, k, a.biases(x, sample, head), keys)
		kernel.GemmSerial(kernel.NN, a.l, d, keys, 1, *p, a.l, v, 3*a.w, 0, y[sample*a.l*a.w+head*d:], a.w)
	})
}

// With P = softmax(S) and S = q·kᵀ/√d:
//
//	dv = Pᵀ·dy   dP = dy·vᵀ   dS = P∘(dP − rowsum(P∘dP))   dq = dS·k/√d   dk = dSᵀ·q/√d
func (a *attention) backward(dqkv []float32, x Inputs, _, dy []float32) {
	qkv, d, l, ld := x.F32(0), a.w/a.heads, a.l, 3*a.w
	a.each(x, func(sample, head, keys int) {
		buf := a.scratch.get(2 * l * l)
		defer a.scratch.put(buf)
		p, ds := (*buf)[:l*l], (*buf)[l*l:2*l*l]
		q, k, v := a.split(qkv, sample, head)
		dq, dk, dv := a.split(dqkv, sample, head)
		dy := dy[sample*l*a.w+head*d:]
		a.probabilities(p, q, k, a.biases(x, sample, head), keys)
		kernel.GemmSerial(kernel.TN, keys, d, l, 1, p, l, dy, a.w, 0, dv, ld)
		kernel.GemmSerial(kernel.NT, l, keys, d, 1, dy, a.w, v, ld, 0, ds, l)
		for i := range l {
			kernel.SoftmaxBackward(ds[i*l:][:keys], p[i*l:][:keys], ds[i*l:][:keys], a.scale())
		}
		kernel.GemmSerial(kernel.NN, l, d, keys, 1, ds, l, k, ld, 0, dq, ld)
		kernel.GemmSerial(kernel.TN, keys, d, l, 1, ds, l, q, ld, 0, dk, ld)
		for j := keys; j < l; j++ { // no query saw these
			clear(dk[j*ld:][:d])
			clear(dv[j*ld:][:d])
		}
	})
}

// backwardBias is the sum of dS over the samples, in their order.
func (a *attention) backwardBias(db []float32, x Inputs, _, dy []float32) {
	qkv, d, l, ld := x.F32(0), a.w/a.heads, a.l, 3*a.w
	clear(db)
	parallel.For(a.heads, func(head int) {
		buf := a.scratch.get(2 * l * l)
		defer a.scratch.put(buf)
		p, ds := (*buf)[:l*l], (*buf)[l*l:2*l*l]
		for sample := range a.b {
			q, k, v := a.split(qkv, sample, head)
			a.probabilities(p, q, k, a.biases(x, sample, head), l)
			kernel.GemmSerial(kernel.NT, l, l, d, 1, dy[sample*l*a.w+head*d:], a.w, v, ld, 0, ds, l)
			for i := range l {
				kernel.SoftmaxBackward(ds[i*l:][:l], p[i*l:][:l], ds[i*l:][:l], 1)
			}
			kernel.Axpy(db[head*l*l:][:l*l], 1, ds)
		}
	})
}

// biases are what is added to the scores of a head of a sample.
func (a *attention) biases(x Inputs, sample, head int) (all [2][]float32) {
	if a.biased {
		all[0] = x.F32(1)[head*a.l*a.l:][:a.l*a.l]
	}
	if len(a.masks) > 0 {
		all[1] = a.masks[sample%len(a.masks)]
	}
	return all
}

// probabilities writes softmax(q·kᵀ/√d + biases) over the first keys columns of p, (L, L).
func (a *attention) probabilities(p, q, k []float32, biases [2][]float32, keys int) {
	l, d := a.l, a.w/a.heads
	kernel.GemmSerial(kernel.NT, l, keys, d, a.scale(), q, 3*a.w, k, 3*a.w, 0, p, l)
	for _, bias := range biases {
		if bias != nil {
			kernel.Add(p[:l*l], p[:l*l], bias)
		}
	}
	for i := range l {
		row, seen := p[i*l:][:keys], keys
		if a.mask == Causal {
			seen = i + 1
		}
		kernel.Softmax(row[:seen], row[:seen])
		clear(row[seen:])
	}
}

func (a *attention) scale() float32 { return float32(1 / math.Sqrt(float64(a.w/a.heads))) }

// split returns one head's q, k and v (or their gradients) with row stride 3W.
func (a *attention) split(qkv []float32, sample, head int) (q, k, v []float32) {
	off := sample*a.l*3*a.w + head*(a.w/a.heads)
	return qkv[off:], qkv[off+a.w:], qkv[off+2*a.w:]
}

// each calls f for every head of every sample, in parallel, with the number of
// keys that the sample's queries see.
func (a *attention) each(x Inputs, f func(sample, head, keys int)) {
	parallel.For(a.b*a.heads, func(i int) {
		keys := a.l
		if a.mask == Padding {
			keys = int(x.I32(1)[i/a.heads]) + 1
			if keys < 1 || keys > a.l {
				Fail("attention", "last token %d of sample %d is outside its %d tokens", keys-1, i/a.heads, a.l)
			}
		}
		f(i/a.heads, i%a.heads, keys)
	})
}
