package nn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
)

func pickedLayers() []layer {
	const b, l, w, heads = 3, 5, 12, 3
	at := []int32{4, 0, 2}
	chosen := func(y []float64) (rows []float64) {
		for n := range b {
			rows = append(rows, y[(n*l+int(at[n]))*w:][:w]...)
		}
		return rows
	}
	return []layer{
		{"picked queries", [][]int{{b, l, w}, {3 * w, w}, {3 * w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.PickedQueries(x[0], x[1], x[2], ints(g, "at", at, b))
			},
			func(x [][]float64) []float64 {
				y := refLinear(x[0], x[1], x[2], w, 3*w)
				for i := range b * l {
					if i%l != int(at[i/l]) {
						clear(y[i*3*w:][:w])
					}
				}
				return y
			}},
		{"picked attention", [][]int{{b, l, 3 * w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.PickedAttention(x[0], heads, false, ints(g, "at", at, b))
			},
			func(x [][]float64) []float64 {
				all := refAttention(x[0], b, l, w, heads, func(_, _, _ int) bool { return true })
				return chosen(all)
			}},
		{"picked causal attention", [][]int{{b, l, 3 * w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.PickedAttention(x[0], heads, true, ints(g, "at", at, b))
			},
			func(x [][]float64) []float64 {
				all := refAttention(x[0], b, l, w, heads, func(_, i, j int) bool { return j <= i })
				return chosen(all)
			}},
	}
}

// TestPickedBits: a block of which one token is needed has the bits of one that computes all queries, and
// so have its gradients, with every instruction set.
func TestPickedBits(t *testing.T) {
	const heads = 2
	for _, isa := range []string{"go", "avx2", "avx512", "neon"} {
		restore, err := kernel.ForceISA(isa)
		if err != nil {
			continue // not of this machine
		}
		for _, c := range []struct{ b, l, w int }{{5, 77, 64}, {9, 65, 96}, {7, 50, 256}, {3, 33, 200}} {
			for _, mask := range []nn.Mask{nn.NoMask, nn.Causal} {
				t.Run(fmt.Sprint(isa, c, mask), func(t *testing.T) {
					r := rand.New(rand.NewPCG(1, 1))
					at := make([]int32, c.b)
					for i := range at {
						at[i] = int32(r.IntN(c.l))
					}
					blocks := nn.NewTransformer("t", nn.TransformerConfig{
						Width: c.w, Layers: 1, Heads: heads, MLPWidth: c.w, Activation: nn.QuickGELU, NormEps: 1e-5, Names: nn.CLIPNames(),
					})
					for _, p := range blocks.Params() {
						p.Init(3)
						for i := range p.Data {
							p.Data[i] += float32(0.05 * r.NormFloat64())
						}
					}
					x, weight := normal(r, c.b*c.l*c.w), normal(r, c.b*c.w)
					run := func(forward func(x *G.Node, pick func(*G.Node) *G.Node) *G.Node) (values [][]float32) {
						g := G.NewGraph()
						in, positions := leaf(g, "x", x, []int{c.b, c.l, c.w}), ints(g, "at", at, c.b)
						y := forward(in, func(x *G.Node) *G.Node { return nn.TokenAt(x, positions) })
						cost := G.Must(G.Sum(G.Must(G.HadamardProd(y, leaf(g, "weight", weight, []int{c.b, c.w})))))
						wrt := []*G.Node{in}
						for _, p := range blocks.Params() {
							wrt = append(wrt, p.Node(g))
						}
						grads, err := nn.Grad(cost, wrt...)
						if err != nil {
							t.Fatal(err)
						}
						keep := append([]*G.Node{y}, grads...)
						m, err := nn.NewMachine(g, keep...)
						if err != nil {
							t.Fatal(err)
						}
						for range 2 { // the second in memory that has been used
							if err := m.Run(); err != nil {
								t.Fatal(err)
							}
						}
						for _, n := range keep {
							values = append(values, slices.Clone(nn.Floats(n)))
						}
						return values
					}
					got := run(func(x *G.Node, pick func(*G.Node) *G.Node) *G.Node { return blocks.Forward(x, mask, nil, pick) })
					want := run(func(x *G.Node, pick func(*G.Node) *G.Node) *G.Node {
						return blocks.ForwardWith(x, func(_ int, qkv *G.Node) *G.Node { return nn.Attention(qkv, heads, mask, nil) }, pick)
					})
					for i := range want {
						if j := differ(got[i], want[i]); j >= 0 {
							t.Errorf("value %d of %d, number %d of %d: %v, want %v", i, len(want), j, len(want[i]), got[i][j], want[i][j])
						}
					}
				})
			}
		}
		restore()
	}
}

func normal(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

// differ is the first place where two slices are not equal, or -1.
func differ(a, b []float32) int {
	for i := range b {
		if i >= len(a) || a[i] != b[i] {
			return i
		}
	}
	return -1
}
