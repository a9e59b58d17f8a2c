package nn

import (
	"math"
	"runtime"
	"slices"

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
	c := Attending{Heads: heads, Causal: mask == Causal}
	if mask == Padding {
		if last == nil {
			Fail("attention", "a padding mask without last tokens")
		}
		WantShape("attention", "qkv", qkv, -1, -1, -1)
		WantShape("attention", "last tokens", last, qkv.Shape()[0])
		c.Keys = KeysThrough(last, qkv.Shape()[1])
	}
	return Attend(qkv, c)
}

// BiasedAttention is [Attention] whose scores have a bias added to them, (H, L, L), of
// each query and key the same in all samples.
func BiasedAttention(qkv, bias *G.Node, heads int) *G.Node {
	if bias == nil {
		Fail("attention", "bias: the node is nil")
	}
	return Attend(qkv, Attending{Heads: heads, Bias: bias})
}

// Attending is what attentions differ in. Of its fields only Heads is required.
type Attending struct {
	Heads    int
	Causal   bool    // a query sees itself and the keys before it
	Window   int     // a query sees keys no further from it than this; 0 means any
	Keys     *G.Node // (B, L): keys of 0 are seen by no query; see [KeysThrough] and [KeysExcept]
	Bias     *G.Node // (H, L, L), added to the scores of all samples
	Unscaled bool    // scores are not divided by √d, as in T5

	// masks, (L, L) each, are added to the scores of sample i: masks[i mod len(masks)].
	masks [][]float32
}

// Attend is [Attention] with all that it can do. Keys that are hidden behind the last
// one that is seen change no bit of the result. A query that sees no key has zeros.
func Attend(qkv *G.Node, c Attending) *G.Node {
	a := newAttention(qkv, c)
	b, l, w := a.b, a.l, a.w
	in, back := []*G.Node{qkv}, []Pullback{Back(a.backward)}
	if c.Bias != nil {
		WantShape("attention", "bias", c.Bias, c.Heads, l, l)
		in, back, a.biasAt = append(in, c.Bias), append(back, Back(a.backwardBias)), len(in)
	}
	if c.Keys != nil {
		WantShape("attention", "keys", c.Keys, b, l)
		in, back, a.keysAt = append(in, c.Keys), append(back, Pullback{}), len(in)
	}
	return Apply(Op{
		Name:     "attention",
		Shape:    tensor.Shape{b, l, w}, // (B, L, W)
		Forward:  a.forward,
		Backward: back,

		relevance: &relevance{l, l, a.relevance},
	}, in...)
}

// newAttention is one without what other nodes say.
func newAttention(qkv *G.Node, c Attending) *attention {
	WantShape("attention", "qkv", qkv, -1, -1, -1)
	s := qkv.Shape()
	b, l, w := s[0], s[1], s[2]/3
	if c.Heads < 1 || s[2]%3 != 0 || w%c.Heads != 0 {
		Fail("attention", "qkv %v does not split into q, k and v of %d heads", s, c.Heads)
	}
	if c.Window < 0 {
		Fail("attention", "window %d, want 0 or more", c.Window)
	}
	a := &attention{b: b, l: l, w: w, heads: c.Heads, causal: c.Causal, window: c.Window, scale: 1, masks: c.masks}
	if !c.Unscaled {
		a.scale = float32(1 / math.Sqrt(float64(w/c.Heads)))
	}
	return a
}

type attention struct {
	b, l, w, heads int
	causal         bool
	window         int
	masks          [][]float32 // see Attending
	scale          float32
	biasAt, keysAt int // which input; 0 for none
	scratch        scratch
}

func (a *attention) forward(y []float32, x Inputs) {
	qkv, d := x.F32(0), a.w/a.heads
	a.each(qkv, nil, func(sample, head int) {
		seen, keys := a.keys(x, sample)
		p := a.scratch.get(a.l * a.l)
		defer a.scratch.put(p)
		q, k, v := a.split(qkv, sample, head)
		a.probabilities(*p, q, k, a.biases(x, sample, head), seen, keys)
		a.product(kernel.LowerA, kernel.NN, a.l, d, keys, 1, *p, a.l, v, 3*a.w, y[sample*a.l*a.w+head*d:], a.w)
	})
}

// With P = softmax(S) and S = q·kᵀ/√d:
//
//	dv = Pᵀ·dy   dP = dy·vᵀ   dS = P∘(dP − rowsum(P∘dP))   dq = dS·k/√d   dk = dSᵀ·q/√d
func (a *attention) backward(dqkv []float32, x Inputs, _, dy []float32) {
	qkv, d, l, ld := x.F32(0), a.w/a.heads, a.l, 3*a.w
	a.each(qkv, dy, func(sample, head int) {
		seen, keys := a.keys(x, sample)
		buf := a.scratch.get(2 * l * l)
		defer a.scratch.put(buf)
		p, ds := (*buf)[:l*l], (*buf)[l*l:2*l*l]
		q, k, v := a.split(qkv, sample, head)
		dq, dk, dv := a.split(dqkv, sample, head)
		dy := dy[sample*l*a.w+head*d:]
		a.probabilities(p, q, k, a.biases(x, sample, head), seen, keys)
		a.product(kernel.UpperA, kernel.TN, keys, d, l, 1, p, l, dy, a.w, dv, ld)
		a.product(kernel.LowerC, kernel.NT, l, keys, d, 1, dy, a.w, v, ld, ds, l)
		for i := range l {
			row := ds[i*l:][:keys]
			_, to := a.span(i, keys)
			kernel.SoftmaxBackward(row[:to], p[i*l:][:to], row[:to], a.scale)
			clear(row[to:])
		}
		a.product(kernel.LowerA, kernel.NN, l, d, keys, 1, ds, l, k, ld, dq, ld)
		a.product(kernel.UpperA, kernel.TN, keys, d, l, 1, ds, l, q, ld, dk, ld)
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
			seen, keys := a.keys(x, sample)
			a.probabilities(p, q, k, a.biases(x, sample, head), seen, keys)
			kernel.GemmSerial(kernel.NT, l, keys, d, 1, dy[sample*l*a.w+head*d:], a.w, v, ld, 0, ds, l)
			for i := range l {
				kernel.SoftmaxBackward(ds[i*l:][:keys], p[i*l:][:keys], ds[i*l:][:keys], 1)
				kernel.Axpy(db[(head*l+i)*l:][:keys], 1, ds[i*l:][:keys])
			}
		}
	})
}

// biases are what is added to the scores of a head of a sample, nil for nothing.
func (a *attention) biases(x Inputs, sample, head int) (all [2][]float32) {
	if a.biasAt != 0 {
		all[0] = x.F32(a.biasAt)[head*a.l*a.l:][:a.l*a.l]
	}
	if len(a.masks) > 0 {
		all[1] = a.masks[sample%len(a.masks)]
	}
	return all
}

// keys returns which keys of a sample are seen, those that are not 0, and how many there
// are up to the last of them. Nil means all.
func (a *attention) keys(x Inputs, sample int) (seen []float32, n int) {
	if a.keysAt == 0 {
		return nil, a.l
	}
	seen = x.F32(a.keysAt)[sample*a.l:][:a.l]
	for n = a.l; n > 0 && seen[n-1] == 0; n-- {
	}
	return seen, n
}

// probabilities writes softmax(q·kᵀ/√d + biases) over the first keys columns of p, (L, L).
func (a *attention) probabilities(p, q, k []float32, biases [2][]float32, seen []float32, keys int) {
	l, d := a.l, a.w/a.heads
	a.product(kernel.LowerC, kernel.NT, l, keys, d, a.scale, q, 3*a.w, k, 3*a.w, p, l)
	for i := range l {
		row := p[i*l:][:keys]
		for _, bias := range biases {
			if bias != nil {
				kernel.Add(row, row, bias[i*l:][:keys])
			}
		}
		from, to := a.span(i, keys)
		clear(row[:from])
		clear(row[to:])
		row = row[from:to]
		if seen != nil {
			hide(row, seen[from:to])
		}
		if visible(row) {
			kernel.Softmax(row, row)
		} else {
			clear(row)
		}
	}
}

// product computes C = alpha·op(A)·op(B), of which a causal mask leaves so much.
func (a *attention) product(t kernel.Triangle, l kernel.Layout, m, n, k int, alpha float32, x []float32, ldx int, y []float32, ldy int, c []float32, ldc int) {
	if a.causal {
		kernel.GemmSerialTriangle(t, l, m, n, k, alpha, x, ldx, y, ldy, c, ldc)
		return
	}
	kernel.GemmSerial(l, m, n, k, alpha, x, ldx, y, ldy, 0, c, ldc)
}

// span is the range of keys that query i sees, of so many.
func (a *attention) span(i, keys int) (from, to int) {
	to = keys
	if a.causal {
		to = min(to, i+1)
	}
	if a.window > 0 {
		from, to = max(0, i-a.window), min(to, i+a.window+1)
	}
	return min(from, to), to
}

// hide makes the scores of keys that are not seen -Inf.
func hide(scores, seen []float32) {
	for j, s := range seen {
		if s == 0 {
			scores[j] = float32(math.Inf(-1))
		}
	}
}

// visible reports whether any key is seen.
func visible(scores []float32) bool {
	return slices.ContainsFunc(scores, func(s float32) bool { return !math.IsInf(float64(s), -1) })
}

// split returns one head's q, k and v (or their gradients) with row stride 3W.
func (a *attention) split(qkv []float32, sample, head int) (q, k, v []float32) {
	off := sample*a.l*3*a.w + head*(a.w/a.heads)
	return qkv[off:], qkv[off+a.w:], qkv[off+2*a.w:]
}

// each calls f for every head of every sample, in parallel. Where a goroutine has several, it asks
// for the next one's rows of qkv and, where there is one, of dy.
func (a *attention) each(qkv, dy []float32, f func(sample, head int)) {
	n, d := a.b*a.heads, a.w/a.heads
	group := min(8, max(1, n/(8*runtime.GOMAXPROCS(0))))
	parallel.For((n+group-1)/group, func(g int) {
		for i, to := g*group, min(n, (g+1)*group); i < to; i++ {
			if next := i + 1; next < to {
				sample, head := next/a.heads, next%a.heads
				for part := range 3 {
					kernel.Ask(qkv, sample*a.l*3*a.w+part*a.w+head*d, 3*a.w, a.l, d)
				}
				kernel.Ask(dy, sample*a.l*a.w+head*d, a.w, a.l, d)
			}
			f(i/a.heads, i%a.heads)
		}
	})
}
