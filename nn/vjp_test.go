package nn_test

import (
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TestVJP: for two outputs a and b, one computed from the other, and gradients u
// and v of them it is the gradient of Σ u∘a + Σ v∘b.
func TestVJP(t *testing.T) {
	values := newCase(layer{
		shapes: [][]int{{3, 4}, {5, 4}, {3, 5}, {3, 5}},
		ref:    func(x [][]float64) []float64 { return x[0] },
	}).x
	run := func(grads func(x, w, u, v, a, b *G.Node) []*G.Node) [][]float32 {
		g := G.NewGraph()
		x, w := leaf(g, "x", values[0], []int{3, 4}), leaf(g, "w", values[1], []int{5, 4})
		u, v := leaf(g, "u", values[2], []int{3, 5}), leaf(g, "v", values[3], []int{3, 5})
		a := nn.LinearOf(x, w, nil) // (3, 5)
		nodes := grads(x, w, u, v, a, nn.Activate(nn.GELU, a))
		m, err := nn.NewMachine(g, nodes...)
		must(t, err)
		must(t, m.Run())
		var out [][]float32
		for _, n := range nodes {
			out = append(out, n.Value().Data().([]float32))
		}
		return out
	}
	got := run(func(x, w, u, v, a, b *G.Node) []*G.Node {
		grads, err := nn.VJP(G.Nodes{a, b}, G.Nodes{u, v}, x, w)
		must(t, err)
		return grads
	})
	want := run(func(x, w, u, v, a, b *G.Node) []*G.Node {
		cost := G.Must(G.Add(G.Must(G.Sum(G.Must(G.HadamardProd(u, a)))), G.Must(G.Sum(G.Must(G.HadamardProd(v, b))))))
		grads, err := nn.Grad(cost, x, w)
		must(t, err)
		return grads
	})
	for i := range want {
		w := make([]float64, len(want[i]))
		for j, v := range want[i] {
			w[j] = float64(v)
		}
		compare(t, "gradient of input "+string("xw"[i]), got[i], w)
	}
}

func TestVJPErrors(t *testing.T) {
	g := G.NewGraph()
	x, other := leaf(g, "x", make([]float64, 4), []int{2, 2}), leaf(g, "other", make([]float64, 4), []int{2, 2})
	y := nn.Activate(nn.GELU, x)
	for want, do := range map[string]func() error{
		"output: shape (2, 2), but its gradient has (2, 3)": func() error {
			_, err := nn.VJP(G.Nodes{y}, G.Nodes{leaf(g, "u", make([]float64, 6), []int{2, 3})}, x)
			return err
		},
		"does not depend on": func() error {
			_, err := nn.VJP(G.Nodes{y}, G.Nodes{leaf(g, "v", make([]float64, 4), []int{2, 2})}, other)
			return err
		},
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
}
