package nn_test

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
)

// TestFixedParams: products of fixed weights are the same to the bit; the first reads them where
// they lie, later ones a packed copy that the second makes, and both give their pages back.
func TestFixedParams(t *testing.T) {
	const rows, in, out = 70, 130, 200
	run := func(l *nn.Linear) []float32 {
		g := G.NewGraph()
		x := G.NewMatrix(g, tensor.Float32, G.WithName("x"), G.WithShape(rows, in), G.WithInit(G.ValuesOf(float32(0.37))))
		y := l.Forward(x)
		m, err := nn.NewMachine(g, y)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Run(); err != nil {
			t.Fatal(err)
		}
		return y.Value().Data().([]float32)
	}
	layer := func() *nn.Linear {
		l := nn.NewLinear("l", in, out)
		l.Weight.Normal(1).Init(1)
		l.Bias.Normal(1).Init(1)
		return l
	}
	want := run(layer())
	fixed, released := layer(), 0
	fixed.Weight.Map(fixed.Weight.Data, func() { released++ })
	for n := range 3 {
		for i, v := range run(fixed) {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("product %d: element %d is %g, want %g to the bit", n+1, i, v, want[i])
			}
		}
		if n == 1 {
			clear(fixed.Weight.Data) // the packed copy is what counts
		}
		if want := min(n+1, 2); released != want {
			t.Errorf("product %d: the weights were given back %d times, want %d", n+1, released, want)
		}
	}
}
