package nn_test

import (
	"fmt"
	"math"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

func convLayers() []layer {
	const b, h, w, c, n = 2, 6, 5, 3, 4
	conv := func(k, stride, pad int) layer {
		return layer{fmt.Sprintf("conv %d×%d stride %d padding %d", k, k, stride, pad), [][]int{{b, h, w, c}, {n, c, k, k}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Conv2D(x[0], x[1], stride, pad) },
			func(x [][]float64) []float64 { return refConv2D(x[0], x[1], b, h, w, c, n, k, stride, pad) }}
	}
	pool := func(size int) layer {
		return layer{fmt.Sprint("average pool ", size), [][]int{{b, h, w, c}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.AvgPool2D(x[0], size) },
			func(x [][]float64) []float64 { return refAvgPool2D(x[0], b, h, w, c, size) }}
	}
	within := func(size, stride, pad int) layer {
		return layer{fmt.Sprintf("average pool %d stride %d padding %d", size, stride, pad), [][]int{{b, h, w, c}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.AvgPool2DWithin(x[0], size, stride, pad) },
			func(x [][]float64) []float64 { return refAvgPoolWithin(x[0], b, h, w, c, size, stride, pad) }}
	}
	attend := func(name string, queries int) layer {
		return layer{name, [][]int{{queries, 6}, {3, 4, 6}, {3, 4, 6}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.AttentionPool(x[0], x[1], x[2], 2) },
			func(x [][]float64) []float64 { return refAttentionPool(x[0], x[1], x[2], 3, 4, 6, 2) }}
	}
	mean, variance := []float64{0.5, -1, 2}, []float64{0.25, 3, 1}
	return []layer{
		conv(1, 1, 0), conv(3, 1, 1), conv(3, 2, 1), conv(2, 2, 0), conv(5, 1, 3), conv(1, 2, 0), conv(3, 1, 4),
		pool(1), pool(2), pool(3), within(3, 2, 1), within(2, 1, 0), within(4, 3, 2),
		attend("attention pool", 3), attend("attention pool, shared query", 1),
		{"zero padding", [][]int{{b, 2, 3, 2}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.ZeroPad(x[0], 1, 2) },
			func(x [][]float64) []float64 {
				y := make([]float64, b*5*6*2)
				for i, v := range x[0] {
					y[((i/12*5+1+i/6%2)*6+1+i/2%3)*2+i%2] = v
				}
				return y
			}},
		{"rows", [][]int{{5, 3, 2}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Rows(x[0], 1, 3) },
			func(x [][]float64) []float64 { return x[0][6:24] }},
		{"channels last", [][]int{{b, c, h, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.ChannelsLast(x[0]) },
			func(x [][]float64) []float64 { return refChannelsLast(x[0], b, c, h*w) }},
		{"mean token", [][]int{{b, h, w, c}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.PrependMean(x[0]) },
			func(x [][]float64) []float64 {
				var y []float64
				for i := range b {
					tokens := x[0][i*h*w*c:][:h*w*c]
					y = append(y, refMean(tokens, 1, h*w, c, func(int) (int, int) { return 0, h * w })...)
					y = append(y, tokens...)
				}
				return y
			}},
		{"batch norm", [][]int{{b, h, w, c}, {c}, {c}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				m, v := leaf(g, "mean", mean, []int{c}), leaf(g, "var", variance, []int{c})
				return nn.BatchNormOf(x[0], x[1], x[2], m, v, 1e-5)
			},
			func(x [][]float64) []float64 { return refBatchNorm(x[0], x[1], x[2], mean, variance, 1e-5) }},
		{"relu", [][]int{{b, 37}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.ReLU(x[0]) },
			func(x [][]float64) []float64 { return each(x[0], func(v float64) float64 { return max(v, 0) }) }},
	}
}

// TestConvTiles convolves images of many tiles, forward and back: what comes
// out must be the slow definition's, wherever a tile ends.
func TestConvTiles(t *testing.T) {
	const b, h, w, c, n, k = 2, 41, 37, 4, 3, 3
	x, weight := wave(b*h*w*c), wave(n*c*k*k)
	g := G.NewGraph()
	xn, wn := leaf(g, "x", x, []int{b, h, w, c}), leaf(g, "weight", weight, []int{n, c, k, k})
	y := nn.Conv2D(xn, wn, 1, 1)
	dy := wave(b * h * w * n)
	cost := G.Must(G.Sum(G.Must(G.HadamardProd(y, leaf(g, "dy", dy, []int{b, h, w, n})))))
	grads, err := nn.Grad(cost, xn, wn)
	must(t, err)
	m, err := nn.NewMachine(g, append(grads, y)...)
	must(t, err)
	must(t, m.Run())
	compare(t, "output", y.Value().Data().([]float32), refConv2D(x, weight, b, h, w, c, n, k, 1, 1))
	// A convolution is linear in each input: ⟨dy, conv(e, w)⟩ is the gradient along e.
	for i, grad := range grads {
		in := [][]float64{x, weight}
		got := grad.Value().Data().([]float32)
		var dot, want float64
		in[i] = wave(len(in[i]) + 1)[1:]
		for j, v := range in[i] {
			dot += v * float64(got[j])
		}
		for j, v := range refConv2D(in[0], in[1], b, h, w, c, n, k, 1, 1) {
			want += v * dy[j]
		}
		if diff, tol := math.Abs(dot-want), 1e-5*math.Abs(want)+1e-3; !(diff <= tol) {
			t.Errorf("gradient of input %d along a direction is %g, want %g, tolerance %g", i, dot, want, tol)
		}
	}
}

func wave(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(float32(math.Sin(float64(i) * 1.7)))
	}
	return v
}

// TestConvShapeErrors names the layer and the shapes of what does not fit.
func TestConvShapeErrors(t *testing.T) {
	g := G.NewGraph()
	m := func(shape ...int) *G.Node { return G.NewTensor(g, G.Float32, len(shape), G.WithShape(shape...)) }
	for _, c := range []struct {
		want  string
		build func()
	}{
		{"convolution: weight has shape (5, 4, 3, 3), want (any, 3, any, any)", func() { nn.Conv2D(m(1, 8, 8, 3), m(5, 4, 3, 3), 1, 1) }},
		{"convolution: weight (5, 3, 3, 2) with stride 1 and padding 1 does not fit input (1, 8, 8, 3)", func() { nn.Conv2D(m(1, 8, 8, 3), m(5, 3, 3, 2), 1, 1) }},
		{"convolution: weight (5, 3, 9, 9) with stride 1 and padding 0 does not fit input (1, 8, 8, 3)", func() { nn.Conv2D(m(1, 8, 8, 3), m(5, 3, 9, 9), 1, 0) }},
		{"convolution: weight (5, 3, 3, 3) with stride 0 and padding 0 does not fit input (1, 8, 8, 3)", func() { nn.Conv2D(m(1, 8, 8, 3), m(5, 3, 3, 3), 0, 0) }},
		{"average pool: no whole square of 4×4 in input (1, 8, 3, 2)", func() { nn.AvgPool2D(m(1, 8, 3, 2), 4) }},
		{"batch norm: running variance has shape (4), want (3)", func() { nn.BatchNormOf(m(1, 8, 8, 3), m(3), m(3), m(3), m(4), 1e-5) }},
		{"rows: 3 from 3 on of (5, 2)", func() { nn.Rows(m(5, 2), 3, 3) }},
		{"attention pool: 2 queries for 3 samples", func() { nn.AttentionPool(m(2, 6), m(3, 4, 6), m(3, 4, 6), 2) }},
		{"attention pool: keys (3, 4, 6) do not split into 4 heads", func() { nn.AttentionPool(m(3, 6), m(3, 4, 6), m(3, 4, 6), 4) }},
	} {
		var err error
		func() {
			defer nn.Catch(&err, "test")
			c.build()
		}()
		if err == nil || err.Error() != "test: "+c.want {
			t.Errorf("got error %v, want test: %s", err, c.want)
		}
	}
}
