package nn_test

import (
	"fmt"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TestNothingIsKeptForNoReader: the gradient of a linear layer's input reads the
// weight only, so a deep chain of layers whose weights are not trained keeps none
// of its activations.
func TestNothingIsKeptForNoReader(t *testing.T) {
	values := newCase(layer{shapes: [][]int{{10, 12}, {12, 12}}, ref: func(x [][]float64) []float64 { return x[0] }}).x
	g := G.NewGraph()
	x := leaf(g, "x", values[0], []int{10, 12})
	y := x
	for i := range 30 {
		y = nn.Add(y, nn.LinearOf(y, leaf(g, fmt.Sprint("w", i), values[1], []int{12, 12}), nil))
	}
	grads, err := nn.VJP(G.Nodes{y}, G.Nodes{leaf(g, "dy", values[0], []int{10, 12})}, x)
	must(t, err)
	m, err := nn.NewMachine(g, append(grads, y)...)
	must(t, err)
	must(t, m.Run())
	if got := m.Buffers(); got > 8 {
		t.Errorf("a chain of 30 layers and its gradient borrowed %d buffers, want at most 8", got)
	}
}
