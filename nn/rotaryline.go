package nn

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/parallel"
)

// RotaryLine is a [RotaryEmbedding] of positions 0, 1, 2 … in a sequence.
type RotaryLine struct {
	Head   int     // width of a head, a multiple of 2
	Base   float64 // frequency j of a head is Base^(−2j/Head)
	Halves bool    // channel j is turned with j + Head/2, else 2j with 2j + 1
}

// Forward rotates the queries and keys of packed queries, keys and values: (B, L, 3W) →
// (B, L, 3W).
func (r RotaryLine) Forward(qkv *G.Node) *G.Node {
	b, l, w := tokens("rotary embedding", qkv)
	if w%3 != 0 || r.Head < 2 || w/3%r.Head != 0 || r.Head%2 != 0 {
		Fail("rotary embedding", "qkv %v does not split into q, k and v of heads of %d, a multiple of 2", qkv.Shape(), r.Head)
	}
	cos, sin := r.angles(l)
	turn := func(y, x []float32, sign float32) {
		parallel.For(b*l, func(i int) { r.turn(y[i*w:][:w], x[i*w:][:w], cos[i%l*r.Head/2:], sin[i%l*r.Head/2:], sign) })
	}
	return Apply(Op{
		Name:     "rotary embedding",
		Shape:    tensor.Shape{b, l, w}, // (B, L, 3W)
		Forward:  func(y []float32, x Inputs) { turn(y, x.F32(0), 1) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) { turn(dx, dy, -1) }).Reads()},
	}, qkv)
}

// angles are those of each position, (L, Head/2), rounded as in the references, whose
// frequencies and products are float32.
func (r RotaryLine) angles(l int) (cos, sin []float32) {
	for t := range l {
		for j := range r.Head / 2 {
			frequency := float32(math.Pow(r.Base, -float64(2*j)/float64(r.Head)))
			s, c := math.Sincos(float64(float32(t) * frequency))
			cos, sin = append(cos, float32(c)), append(sin, float32(s))
		}
	}
	return cos, sin
}

func (r RotaryLine) turn(y, x, cos, sin []float32, sign float32) {
	copy(y, x)
	half := r.Head / 2
	for h := 0; h < len(x)/3*2; h += r.Head {
		y, x := y[h:][:r.Head], x[h:][:r.Head]
		for j := range half {
			first, second := 2*j, 2*j+1
			if r.Halves {
				first, second = j, j+half
			}
			a, b, c, s := x[first], x[second], cos[j], sign*sin[j]
			y[first], y[second] = a*c-b*s, b*c+a*s
		}
	}
}
