package nn

import (
	"math"
	"sync"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// RotaryEmbedding (RoPE; Su et al., 2021) rotates pairs of channels of queries and
// keys by angles that grow with the position of their token, so that attention scores
// depend on relative positions. Positions here are two-dimensional: one half of each
// head rotates with the patch's column, the other with its row.
type RotaryEmbedding struct {
	patches, head int
	prefix        int // tokens before the patches, which are not turned
	grid          RotaryGrid
	computed      sync.Once
	cos, sin      []float32 // (P, head/2)
}

// RotaryGrid is the configuration of a [RotaryEmbedding].
type RotaryGrid struct {
	Grid   [2]int // patches down and across
	Head   int    // width of a head, a multiple of 4
	Prefix int    // tokens before the patches

	// Reference is the side, in patches, of the grid that the model was pretrained
	// on: positions of another grid are scaled to its range.
	Reference int
	Offset    int  // position of the first patch
	RowsFirst bool // the first half of a head rotates with the row
}

// NewRotaryEmbedding returns the rotation for a grid, whose angles the first Forward
// computes.
func NewRotaryEmbedding(c RotaryGrid) *RotaryEmbedding {
	return &RotaryEmbedding{patches: c.Grid[0] * c.Grid[1], head: c.Head, prefix: c.Prefix, grid: c}
}

// angles rounds as timm does, whose frequencies and positions are float32.
func (r *RotaryEmbedding) angles() {
	c := r.grid
	first, second := 1, 0
	if c.RowsFirst {
		first, second = 0, 1
	}
	for p := range r.patches {
		at := [2]int{p / c.Grid[1], p % c.Grid[1]}
		for _, axis := range []int{first, second} {
			place := float32(at[axis]+c.Offset) / float32(c.Grid[axis]) * float32(c.Reference)
			for j := range c.Head / 4 {
				frequency := float32(math.Pow(10000, -float64(j)/float64(c.Head/4)))
				sin, cos := math.Sincos(float64(place * frequency))
				r.cos, r.sin = append(r.cos, float32(cos)), append(r.sin, float32(sin))
			}
		}
	}
}

// Forward rotates the queries and keys of packed queries, keys and values, (B, L,
// 3W). At, (B, K) int32, holds the indices of the patches after patch dropout; nil
// means all of them in order.
func (r *RotaryEmbedding) Forward(qkv, at *G.Node) *G.Node {
	b, l, w := tokens("rotary embedding", qkv)
	if w%3 != 0 || r.head < 1 || w/3%r.head != 0 || r.head%4 != 0 {
		Fail("rotary embedding", "qkv %v does not split into q, k and v of heads of %d, a multiple of 4", qkv.Shape(), r.head)
	}
	in := []*G.Node{qkv}
	if at == nil && l != r.prefix+r.patches {
		Fail("rotary embedding", "%d tokens, want %d and %d patches", l, r.prefix, r.patches)
	}
	if at != nil {
		WantShape("rotary embedding", "places", at, b, l-r.prefix)
		in = append(in, at)
	}
	r.computed.Do(r.angles)
	back := make([]Pullback, len(in))
	back[0] = Back(func(dx []float32, x Inputs, _, dy []float32) { r.turn(dx, dy, x, b, l, w, -1) })
	return Apply(Op{
		Name:     "rotary embedding",
		Shape:    tensor.Shape{b, l, w}, // (B, L, 3W)
		Forward:  func(y []float32, x Inputs) { r.turn(y, x.F32(0), x, b, l, w, 1) },
		Backward: back,
	}, in...)
}

// turn turns what is in x forwards, or with sign -1 backwards.
func (r *RotaryEmbedding) turn(y, x []float32, in Inputs, b, l, w int, sign float32) {
	var at []int32
	if len(in) == 2 {
		at = in.I32(1)
	}
	half := r.head / 2
	spans(b*l, w, func(from, to int) {
		for row := from; row < to; row++ {
			i, t := row/l, row%l
			y, x := y[row*w:][:w], x[row*w:][:w]
			p := t - r.prefix
			if p < 0 {
				copy(y, x)
				continue
			}
			copy(y[w/3*2:], x[w/3*2:])
			if at != nil {
				if p = int(at[i*(l-r.prefix)+p]); p < 0 || p >= r.patches {
					Fail("rotary embedding", "place %d of sample %d is outside its %d patches", p, i, r.patches)
				}
			}
			cos, sin := r.cos[p*half:][:half], r.sin[p*half:][:half]
			for h := 0; h < w/3*2; h += r.head {
				y, x := y[h:][:r.head], x[h:][:r.head]
				for j, c := range cos {
					s := sign * sin[j]
					a, b := x[2*j], x[2*j+1]
					y[2*j], y[2*j+1] = a*c-b*s, b*c+a*s
				}
			}
		}
	})
}
