package nn_test

import (
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TestTogether: gradients that are computed in one pass, and in place behind a product, have
// the bits of each computed alone, at the second run too.
func TestTogether(t *testing.T) {
	const rows, w, hidden = 1100, 20, 30
	shapes := [][]int{{rows, w}, {w}, {w}, {hidden, w}, {hidden}, {w, hidden}, {w}}
	r := rand.New(rand.NewPCG(3, 3))
	values := make([][]float64, len(shapes)+1)
	for i, s := range append(shapes, []int{rows, w}) {
		n := 1
		for _, d := range s {
			n *= d
		}
		for range n {
			values[i] = append(values[i], r.NormFloat64())
		}
	}
	run := func(followed int, wanted ...int) [][]float32 {
		g := G.NewGraph()
		x := make([]*G.Node, len(shapes))
		for i, s := range shapes {
			x[i] = leaf(g, string(rune('a'+i)), values[i], s)
		}
		in := nn.Activate(nn.QuickGELU, x[0])
		h := nn.Activate(nn.GELU, nn.LinearOf(nn.LayerNormOf(in, x[1], x[2], 1e-5), x[3], x[4]))
		y := nn.Add(in, nn.LinearOf(h, x[5], x[6]))
		var wrt []*G.Node
		for _, i := range wanted {
			wrt = append(wrt, x[i])
		}
		grads, err := nn.VJP(G.Nodes{y}, G.Nodes{leaf(g, "dy", values[len(shapes)], []int{rows, w})}, wrt...)
		must(t, err)
		m, err := nn.NewMachine(g, grads...)
		must(t, err)
		if got := m.Followed(); got != followed {
			t.Errorf("gradients by %v: %d ops follow others, want %d", wanted, got, followed)
		}
		must(t, m.Run())
		must(t, m.Run())
		var out [][]float32
		for _, n := range grads {
			out = append(out, append([]float32(nil), nn.Floats(n)...))
		}
		return out
	}
	all := run(2, 0, 1, 2, 3, 4, 5, 6) // GELU's gradient behind a product, and the residual's behind the norm's
	for i, followed := range []int{1, 1, 1, 1, 1, 1, 1} {
		alone := run(followed, i)[0]
		for j, v := range alone {
			if all[i][j] != v {
				t.Fatalf("gradient %d, element %d: %g together, %g alone", i, j, all[i][j], v)
			}
		}
	}
}
