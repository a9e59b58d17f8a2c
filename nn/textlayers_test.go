package nn_test

import (
	"math"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// textLayers are what other text towers than CLIP's consist of.
func textLayers() []layer {
	const b, l, w, heads = 2, 5, 12, 3
	ids := []int32{7, 1, 8, 9, 1, 4, 5, 1, 1, 1} // padding is 1
	keys := []float64{1, 0, 1, 1, 0, 1, 1, 0, 0, 0}
	mask := func(g *G.ExprGraph) *G.Node { return nn.KeysExcept(ints(g, "ids", ids, b, l), 1) }
	shown := func(n, j int) bool { return keys[n*l+j] != 0 }
	attend := func(name string, seen func(n, i, j int) bool, set func(*nn.Attending)) layer {
		return layer{name, [][]int{{b, l, 3 * w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				c := nn.Attending{Heads: heads, Keys: mask(g)}
				set(&c)
				return nn.Attend(x[0], c)
			},
			func(x [][]float64) []float64 { return refAttention(x[0], b, l, w, heads, seen) }}
	}
	rotary := func(name string, r nn.RotaryLine) layer {
		return layer{name, [][]int{{b, 4, 3 * w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return r.Forward(x[0]) },
			func(x [][]float64) []float64 { return refRotaryLine(x[0], r, 4, w) }}
	}
	return []layer{
		attend("attention without padding", func(n, _, j int) bool { return shown(n, j) }, func(*nn.Attending) {}),
		attend("causal attention without padding", func(n, i, j int) bool { return j <= i && shown(n, j) }, func(c *nn.Attending) { c.Causal = true }),
		attend("attention in a window", func(n, i, j int) bool { return shown(n, j) && max(i-j, j-i) <= 3 }, func(c *nn.Attending) { c.Window = 3 }),
		{"causal attention of more than one band", [][]int{{1, 40, 3 * w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.Attend(x[0], nn.Attending{Heads: heads, Causal: true})
			},
			func(x [][]float64) []float64 {
				return refAttention(x[0], 1, 40, w, heads, func(_, i, j int) bool { return j <= i })
			}},
		attend("causal attention in a window", func(n, i, j int) bool { return shown(n, j) && j <= i && i-j <= 3 }, func(c *nn.Attending) { c.Causal, c.Window = true, 3 }),
		{"unscaled attention with a bias", [][]int{{b, l, 36}, {heads, l, l}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.Attend(x[0], nn.Attending{Heads: heads, Bias: x[1], Unscaled: true, Keys: mask(g)})
			},
			func(x [][]float64) []float64 {
				scaled, bias := slices.Clone(x[0]), slices.Clone(x[1])
				for i := range scaled {
					if i%36 < 12 {
						scaled[i] *= 2 // √d
					}
				}
				var y []float64
				for n := range b { // a bias that hides
					hidden := slices.Clone(bias)
					for i := range hidden {
						if !shown(n, i%l) {
							hidden[i] = math.Inf(-1)
						}
					}
					y = append(y, refBiasedAttention(scaled[n*l*36:][:l*36], hidden, 1, l, 12, heads)...)
				}
				return y
			}},
		{"masked attention pool", [][]int{{1, w}, {b, l, w}, {b, l, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.MaskedAttentionPool(x[0], x[1], x[2], mask(g), heads)
			},
			func(x [][]float64) []float64 { return refMaskedPool(x[0], x[1], x[2], keys, l, w, heads) }},
		{"mean of some tokens", [][]int{{b, l, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node { return nn.MeanOf(x[0], mask(g)) },
			func(x [][]float64) []float64 {
				return refPool(x[0], keys, l, w, func(v []float64) (s float64) {
					for _, a := range v {
						s += a / float64(len(v))
					}
					return s
				})
			}},
		{"max of some tokens", [][]int{{b, l, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node { return nn.MaxOf(x[0], mask(g)) },
			func(x [][]float64) []float64 { return refPool(x[0], keys, l, w, slices.Max[[]float64]) }},
		{"some tokens", [][]int{{b, l, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node { return nn.OnlyKeys(x[0], mask(g)) },
			func(x [][]float64) []float64 {
				y := slices.Clone(x[0])
				for i := range y {
					y[i] *= keys[i/w]
				}
				return y
			}},
		{"tokens through the last", [][]int{{b, 4, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.OnlyKeys(x[0], nn.KeysThrough(ints(g, "last", []int32{0, 2}, b), 4))
			},
			func(x [][]float64) []float64 {
				y := make([]float64, len(x[0]))
				copy(y, x[0][:w])
				copy(y[4*w:], x[0][4*w:7*w])
				return y
			}},
		{"rms norm of heads", [][]int{{b, l, w}, {4}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.RMSNormOf(x[0], x[1], 1e-5) },
			func(x [][]float64) []float64 { return refRMSNorm(x[0], x[1], 1e-5) }},
		{"layer norm without bias", [][]int{{b, l, w}, {w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.LayerNormOf(x[0], x[1], nil, 1e-5) },
			func(x [][]float64) []float64 { return refLayerNorm(x[0], x[1], make([]float64, w), 1e-5) }},
		rotary("rotary line", nn.RotaryLine{Head: 4, Base: 10000}),
		rotary("rotary line of halves", nn.RotaryLine{Head: 6, Base: 100, Halves: true}),
		{"counted positions", [][]int{{b, l, w}, {6, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.AddCountedPositions(x[0], ints(g, "ids", ids, b, l), x[1], 1)
			},
			func(x [][]float64) []float64 { return refRows(x[0], x[1], []int{2, 1, 3, 4, 1, 2, 3, 1, 1, 1}, w) }},
		{"token types", [][]int{{b, l, w}, {2, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.AddKinds(x[0], ints(g, "types", []int32{0, 1, 1, 0, 0, 1, 0, 0, 0, 1}, b, l), x[1])
			},
			func(x [][]float64) []float64 { return refRows(x[0], x[1], []int{0, 1, 1, 0, 0, 1, 0, 0, 0, 1}, w) }},
		{"token types of nothing", [][]int{{b, l, w}, {2, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.AddKinds(x[0], nil, x[1]) },
			func(x [][]float64) []float64 { return refRows(x[0], x[1], make([]int, b*l), w) }},
		{"distance buckets", [][]int{{8, 2}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.DistanceBuckets(x[0], 12, 8) },
			func(x [][]float64) []float64 { return refBuckets(x[0], 12) }},
		{"sigmoid gate", [][]int{{b, 3, w}, {b, 3, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.SigmoidGate(x[0], x[1]) },
			func(x [][]float64) []float64 {
				return times(each(x[0], func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }), x[1])
			}},
		{"tanh", [][]int{{3, 7}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Tanh(x[0]) },
			func(x [][]float64) []float64 { return each(x[0], math.Tanh) }},
		{"scale", [][]int{{3, 7}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Scale(x[0], 3) },
			func(x [][]float64) []float64 { return each(x[0], func(v float64) float64 { return 3 * v }) }},
		{"append", [][]int{{b, 2, 3}, {1, 3}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Append(x[0], x[1]) },
			func(x [][]float64) []float64 { return slices.Concat(x[0][:6], x[1], x[0][6:], x[1]) }},
	}
}

// refPool pools each channel of the tokens that keys mark.
func refPool(x, keys []float64, l, w int, pool func([]float64) float64) []float64 {
	var y []float64
	for n := range len(keys) / l {
		for j := range w {
			var v []float64
			for t := range l {
				if keys[n*l+t] != 0 {
					v = append(v, x[(n*l+t)*w+j])
				}
			}
			y = append(y, pool(v))
		}
	}
	return y
}

func refMaskedPool(q, k, v, keys []float64, l, w, heads int) []float64 {
	d, y := w/heads, make([]float64, len(keys)/l*w)
	for at := range y {
		n, head := at/w, at%w/d
		var sum, weights float64
		for t := range l {
			if keys[n*l+t] == 0 {
				continue
			}
			var s float64
			for e := range d {
				s += q[head*d+e] * k[(n*l+t)*w+head*d+e]
			}
			p := math.Exp(s / math.Sqrt(float64(d)))
			sum, weights = sum+p*v[(n*l+t)*w+at%w], weights+p
		}
		y[at] = sum / weights
	}
	return y
}

func refRMSNorm(x, gamma []float64, eps float64) []float64 {
	y, w := make([]float64, len(x)), len(gamma)
	for i := range len(x) / w {
		var squares float64
		for _, v := range x[i*w:][:w] {
			squares += v * v / float64(w)
		}
		for j, v := range x[i*w:][:w] {
			y[i*w+j] = v / math.Sqrt(squares+eps) * gamma[j]
		}
	}
	return y
}

// refRotaryLine turns queries and keys, the first 2w of each row of 3w.
func refRotaryLine(x []float64, r nn.RotaryLine, l, w int) []float64 {
	y := slices.Clone(x)
	for i := range len(x) / (3 * w) {
		for ch := range 2 * w {
			j := ch % r.Head
			pair, other, sign := j/2, ch^1, float64(2*(j%2)-1)
			if r.Halves {
				pair, other, sign = j%(r.Head/2), ch+r.Head/2, -1
				if j >= r.Head/2 {
					other, sign = ch-r.Head/2, 1
				}
			}
			angle := float64(i%l) * math.Pow(r.Base, -2*float64(pair)/float64(r.Head))
			y[i*3*w+ch] = x[i*3*w+ch]*math.Cos(angle) + sign*x[i*3*w+other]*math.Sin(angle)
		}
	}
	return y
}

func refRows(x, table []float64, rows []int, w int) []float64 {
	y := slices.Clone(x)
	for i := range y {
		y[i] += table[rows[i/w]*w+i%w]
	}
	return y
}

// refBuckets is of a table of 8 rows by 2 heads: behind the query 4 and more, of which
// distances 2 and 3 share one, as do 4 and more.
func refBuckets(table []float64, l int) []float64 {
	var y []float64
	for head := range 2 {
		for i := range l {
			for j := range l {
				row, d := 0, max(i-j, j-i)
				if j > i {
					row = 4
				}
				switch {
				case d < 2:
					row += d
				case d < 4:
					row += 2
				default:
					row += 3
				}
				y = append(y, table[row*2+head])
			}
		}
	}
	return y
}

// TestBuckets are those of T5, where distances of powers of two begin a row.
func TestBuckets(t *testing.T) {
	for d, want := range map[int]int{
		0: 0, -1: 1, -7: 7, -8: 8, -11: 8, -12: 9, -15: 9, -16: 10, -22: 10, -23: 11, -31: 11, -32: 12, -45: 12, -46: 13, -63: 13, -64: 14,
		-90: 14, -91: 15, -127: 15, -128: 15, -1000: 15, 1: 17, 8: 24, 64: 30, 500: 31,
	} {
		if got := nn.Bucket(d, 16, 128); got != want {
			t.Errorf("distance %d has row %d, want %d", d, got, want)
		}
	}
}

// TestHiddenKeysAreExactZeros: tokens that are hidden behind the last one that is seen
// change no bit of what attention and pooling give for those before.
func TestHiddenKeysAreExactZeros(t *testing.T) {
	const w, heads = 24, 3
	for _, c := range []nn.Attending{{}, {Causal: true}, {Window: 3}, {Unscaled: true}} {
		for _, n := range []int{1, 2, 7, 16, 17, 33} {
			run := func(l int) [][]float32 {
				g := G.NewGraph()
				qkv := make([]float64, l*3*w)
				for i := range qkv {
					qkv[i] = math.Sin(float64(i%(3*w)) + 1.7*float64(i/(3*w)))
				}
				x := leaf(g, "qkv", qkv, []int{1, l, 3 * w})
				c := c
				c.Heads, c.Keys = heads, nn.KeysThrough(ints(g, "last", []int32{int32(n - 1)}, 1), l)
				y := nn.Attend(x, c)
				mean, top := nn.MeanOf(y, c.Keys), nn.MaxOf(y, c.Keys)
				q := nn.Token(y, 0)
				pooled := nn.MaskedAttentionPool(q, y, y, c.Keys, heads)
				m, err := nn.NewMachine(g, y, mean, top, pooled)
				must(t, err)
				must(t, m.Run())
				return [][]float32{slices.Clone(nn.Floats(y)[:n*w]), slices.Clone(nn.Floats(mean)), slices.Clone(nn.Floats(top)), slices.Clone(nn.Floats(pooled))}
			}
			want, got := run(n), run(n+19)
			for i := range want {
				if !slices.Equal(got[i], want[i]) {
					t.Errorf("%+v: output %d of %d tokens differs with padding behind them", c, i, n)
				}
			}
		}
	}
}
