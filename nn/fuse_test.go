package nn_test

import (
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
)

// TestFollowers: ops that are done in place, on parts of what they read, give the bits that
// they give one after the other, at the second run too; what something else reads is left alone.
func TestFollowers(t *testing.T) {
	g32 := func(g *G.ExprGraph, name string, shape ...int) *G.Node {
		r := rand.New(rand.NewPCG(1, uint64(len(name))))
		data := make([]float32, tensor.Shape(shape).TotalSize())
		for i := range data {
			data[i] = float32(r.NormFloat64())
		}
		return G.NewTensor(g, tensor.Float32, len(shape), G.WithName(name), G.WithShape(shape...),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))))
	}
	for _, c := range []struct {
		name  string
		build func(g *G.ExprGraph) *G.Node
		want  int
	}{
		{"product, activation, product, scale, residual", func(g *G.ExprGraph) *G.Node {
			x := nn.Activate(nn.QuickGELU, g32(g, "pixels", 3, 70, 200))
			y := nn.Activate(nn.GELU, nn.LinearOf(x, g32(g, "w", 300, 200), g32(g, "bias", 300)))
			y = nn.Add(x, nn.LayerScaleOf(nn.LinearOf(y, g32(g, "back", 200, 300), nil), g32(g, "gamma", 200)))
			return nn.Activate(nn.GELU, y)
		}, 3},
		{"gate", func(g *G.ExprGraph) *G.Node {
			x := nn.Activate(nn.QuickGELU, g32(g, "pixels", 2, 33, 40))
			y := nn.SwiGLU(nn.LinearOf(x, g32(g, "w", 90, 40), nil), nn.LinearOf(x, g32(g, "w2", 90, 40), nil))
			return nn.Activate(nn.GELU, nn.LinearOf(y, g32(g, "back", 8, 90), nil))
		}, 1},
		{"depthwise, norm", func(g *G.ExprGraph) *G.Node {
			x := nn.DepthwiseConv2D(g32(g, "image", 2, 9, 7, 24), g32(g, "kernel", 24, 1, 7, 7), nil, 1, 3)
			return nn.SpatialMean(nn.LayerNormOf(x, g32(g, "gamma", 24), g32(g, "beta", 24), 1e-5))
		}, 1},
		{"convolution, bias, gate of channels, activation", func(g *G.ExprGraph) *G.Node {
			x := nn.AddBias(nn.Conv2D(g32(g, "image", 2, 9, 7, 5), g32(g, "kernel", 24, 5, 3, 3), 2, 1), g32(g, "bias", 24))
			x = nn.Activate(nn.GELU, nn.ScaleChannels(x, nn.SpatialMean(x)))
			return nn.SpatialMean(x)
		}, 2},
		{"norm of a product, which comes in parts of rows", func(g *G.ExprGraph) *G.Node {
			x := nn.LinearOf(nn.Activate(nn.GELU, g32(g, "x", 5, 300)), g32(g, "w", 400, 300), nil)
			return nn.Activate(nn.GELU, nn.LayerNormOf(x, g32(g, "gamma", 400), g32(g, "beta", 400), 1e-5))
		}, 0},
		{"read twice", func(g *G.ExprGraph) *G.Node {
			x := nn.LinearOf(nn.Activate(nn.GELU, g32(g, "x", 5, 30)), g32(g, "w", 30, 30), nil)
			return nn.Activate(nn.GELU, nn.Add(nn.Add(x, x), nn.Mul(x, x)))
		}, 0},
	} {
		g := G.NewGraph()
		plain := c.build(g)
		vm := G.NewTapeMachine(g)
		must(t, vm.RunAll())
		want := append([]float32(nil), nn.Floats(plain)...)
		must(t, vm.Close())
		g = G.NewGraph()
		y := c.build(g)
		m, err := nn.NewMachine(g, y)
		must(t, err)
		if got := m.Followed(); got != c.want {
			t.Errorf("%s: %d ops follow others, want %d", c.name, got, c.want)
		}
		for run := range 2 {
			must(t, m.Run())
			for i, v := range nn.Floats(y) {
				if v != want[i] {
					t.Fatalf("%s, run %d: element %d is %g, want %g", c.name, run, i, v, want[i])
				}
			}
		}
	}
}
