package nn_test

import (
	"fmt"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TestRecompute: of a stack of residual MLPs the gradients with and without are the same to
// the bit, and with it memory grows by one output a block.
func TestRecompute(t *testing.T) {
	const rows, w, hidden = 40, 12, 48
	values := newCase(layer{shapes: [][]int{{rows, w}, {hidden, w}, {w, hidden}}, ref: func(x [][]float64) []float64 { return x[0] }}).x
	build := func(blocks int, again bool) (*nn.Machine, []*G.Node) {
		g := G.NewGraph()
		x := leaf(g, "x", values[0], []int{rows, w})
		y, wrt := x, []*G.Node(nil)
		for i := range blocks {
			up, down := leaf(g, fmt.Sprint("up", i), values[1], []int{hidden, w}), leaf(g, fmt.Sprint("down", i), values[2], []int{w, hidden})
			wrt = append(wrt, up, down)
			y = nn.Add(y, nn.LinearOf(nn.Activate(nn.GELU, nn.LinearOf(y, up, nil)), down, nil))
		}
		var r nn.Recompute
		if again {
			r = nn.Recompute{{From: x, To: y}}
		}
		grads, err := r.VJP(G.Nodes{y}, G.Nodes{leaf(g, "dy", values[0], []int{rows, w})}, wrt...)
		must(t, err)
		m, err := nn.NewMachine(g, append(grads, y)...)
		must(t, err)
		return m, grads
	}
	run := func(again bool) (out [][]float32) {
		m, grads := build(6, again)
		for range 2 { // the second in buffers that have been used
			must(t, m.Run())
		}
		for _, n := range grads {
			out = append(out, slices.Clone(nn.Floats(n)))
		}
		return out
	}
	want := run(false)
	for i, got := range run(true) {
		if !slices.Equal(got, want[i]) {
			t.Errorf("gradient %d differs from the one of kept values", i)
		}
	}
	work := func(blocks int, again bool) int64 {
		m, _ := build(blocks, again)
		n, err := m.Workspace()
		must(t, err)
		return n - int64(blocks)*4*2*w*hidden // without the gradients, which are kept
	}
	kept, recomputed := work(40, false)-work(20, false), work(40, true)-work(20, true)
	if one := int64(20 * 4 * rows * w); !(recomputed <= one && kept >= 8*one) {
		t.Errorf("20 blocks more take %d bytes, recomputed %d; want the second no more than their outputs, %d", kept, recomputed, one)
	}
}

// TestRecomputeOfNothing: a stretch that is empty, or of no graph, is none.
func TestRecomputeOfNothing(t *testing.T) {
	g := G.NewGraph()
	x := leaf(g, "x", []float64{1, 2}, []int{1, 2})
	y := nn.Activate(nn.GELU, x)
	for _, r := range []nn.Recompute{{{}}, {{From: y, To: x}}, {{From: x}}, {{From: x, To: y}, {From: x, To: y}}} {
		_, err := r.VJP(G.Nodes{y}, G.Nodes{x}, x)
		must(t, err)
	}
}
