package nn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
)

// layer is one op under test: how to add it to a graph, and what it computes.
type layer struct {
	name   string
	shapes [][]int // of the differentiable inputs
	build  func(g *G.ExprGraph, x []*G.Node) *G.Node
	ref    func(x [][]float64) []float64
}

func ints(g *G.ExprGraph, name string, v []int32, shape ...int) *G.Node {
	return G.NewTensor(g, tensor.Int32, len(shape), G.WithName(name), G.WithShape(shape...),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
}

// depthwise is a convolution of size×size, m outputs a channel, with a bias or not.
func depthwise(name string, size, m, stride, pad, bias int) layer {
	const b, h, w, c = 2, 4, 3, 3
	oh, ow := (h+2*pad-size)/stride+1, (w+2*pad-size)/stride+1
	shapes := [][]int{{b, h, w, c}, {c * m, 1, size, size}}
	if bias == 1 {
		shapes = append(shapes, []int{c * m})
	}
	return layer{name, shapes,
		func(_ *G.ExprGraph, x []*G.Node) *G.Node {
			if bias == 0 {
				return nn.DepthwiseConv2D(x[0], x[1], nil, stride, pad)
			}
			return nn.DepthwiseConv2D(x[0], x[1], x[2], stride, pad)
		},
		func(x [][]float64) []float64 {
			var y []float64
			for i := range b * oh * ow * c * m {
				o, col, row, n := i%(c*m), i/(c*m)%ow, i/(c*m*ow)%oh, i/(c*m*ow*oh)
				sum := 0.0
				if bias == 1 {
					sum = x[2][o]
				}
				for t := range size * size {
					r, q := row*stride-pad+t/size, col*stride-pad+t%size
					if r >= 0 && r < h && q >= 0 && q < w {
						sum += x[0][((n*h+r)*w+q)*c+o/m] * x[1][o*size*size+t]
					}
				}
				y = append(y, sum)
			}
			return y
		}}
}

func layers() []layer {
	const b, l, w, heads = 2, 5, 12, 3
	last := []int32{2, 4}
	act := func(name string, a nn.Activation, f func(float64) float64) layer {
		return layer{name, [][]int{{3, 37}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Activate(a, x[0]) },
			func(x [][]float64) []float64 { return each(x[0], f) }}
	}
	attention := func(name string, m nn.Mask, seen func(n, i, j int) bool) layer {
		return layer{name, [][]int{{b, l, 3 * w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				var at *G.Node
				if m == nn.Padding {
					at = ints(g, "last", last, b)
				}
				return nn.Attention(x[0], heads, m, at)
			},
			func(x [][]float64) []float64 { return refAttention(x[0], b, l, w, heads, seen) }}
	}
	return []layer{
		{"linear", [][]int{{b, l, w}, {7, w}, {7}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.LinearOf(x[0], x[1], x[2]) },
			func(x [][]float64) []float64 { return refLinear(x[0], x[1], x[2], w, 7) }},
		{"linear without bias", [][]int{{b, w}, {7, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.LinearOf(x[0], x[1], nil) },
			func(x [][]float64) []float64 { return refLinear(x[0], x[1], nil, w, 7) }},
		{"low rank", [][]int{{b, l, w}, {3, w}, {7, 3}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.LowRankOf(x[0], x[1], x[2], 0.5) },
			func(x [][]float64) []float64 {
				h := each(refLinear(x[0], x[1], nil, w, 3), func(v float64) float64 { return v / 2 })
				return refLinear(h, x[2], nil, 3, 7)
			}},
		{"matmul", [][]int{{b, l, w}, {w, 7}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.MatMul(x[0], x[1]) },
			func(x [][]float64) []float64 { return refLinear(x[0], transpose(x[1], w, 7), nil, w, 7) }},
		{"layer norm", [][]int{{b, l, w}, {w}, {w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.LayerNormOf(x[0], x[1], x[2], 1e-5) },
			func(x [][]float64) []float64 { return refLayerNorm(x[0], x[1], x[2], 1e-5) }},
		{"l2 normalize", [][]int{{b, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.L2Normalize(x[0]) },
			func(x [][]float64) []float64 { return refNormalize(x[0], w) }},
		act("gelu", nn.GELU, refGELU),
		act("gelu_tanh", nn.GELUTanh, refGELUTanh),
		act("quick_gelu", nn.QuickGELU, refQuickGELU),
		{"exp", [][]int{{3}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Exp(x[0]) },
			func(x [][]float64) []float64 { return each(x[0], math.Exp) }},
		{"add", [][]int{{b, l, w}, {b, l, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Add(x[0], x[1]) },
			func(x [][]float64) []float64 { return plus(x[0], x[1]) }},
		attention("attention", nn.NoMask, func(_, _, _ int) bool { return true }),
		attention("causal attention", nn.Causal, func(_, i, j int) bool { return j <= i }),
		attention("padded attention", nn.Padding, func(n, _, j int) bool { return j <= int(last[n]) }),
		{"token embedding", [][]int{{9, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.Embedding(ints(g, "ids", []int32{0, 8, 3, 3, 3, 1}, 2, 3), x[0])
			},
			func(x [][]float64) []float64 {
				var y []float64
				for _, id := range []int{0, 8, 3, 3, 3, 1} {
					y = append(y, x[0][id*w:][:w]...)
				}
				return y
			}},
		{"positional embedding", [][]int{{b, l, w}, {l + 2, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.AddPositions(x[0], x[1]) },
			func(x [][]float64) []float64 {
				pos := x[1][:l*w]
				return plus(x[0], append(append([]float64{}, pos...), pos...))
			}},
		{"class token", [][]int{{w}, {b, l, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Prepend(x[0], x[1]) },
			func(x [][]float64) []float64 {
				var y []float64
				for n := range b {
					y = append(append(y, x[0]...), x[1][n*l*w:][:l*w]...)
				}
				return y
			}},
		{"class token of three dimensions", [][]int{{1, 1, w}, {b, l, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Prepend(x[0], x[1]) },
			func(x [][]float64) []float64 {
				return slices.Concat(x[0], x[1][:l*w], x[0], x[1][l*w:])
			}},
		{"patch embedding", [][]int{{b, 3, 9, 7}, {5, 3, 3, 3}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.PatchEmbedOf(x[0], x[1]) },
			func(x [][]float64) []float64 { return refPatchEmbed(x[0], x[1], b, 3, 9, 7, 3, 5) }},
		{"patch embedding with bias", [][]int{{b, 3, 9, 7}, {5, 3, 3, 3}, {5}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.PatchEmbedOf(x[0], x[1], x[2]) },
			func(x [][]float64) []float64 {
				y := refPatchEmbed(x[0], x[1], b, 3, 9, 7, 3, 5)
				for i := range y {
					y[i] += x[2][i%5]
				}
				return y
			}},
		depthwise("depthwise convolution", 3, 1, 1, 1, 1),
		depthwise("depthwise convolution with a stride", 3, 1, 2, 1, 1),
		depthwise("depthwise convolution of two outputs a channel", 2, 2, 1, 0, 0),
		depthwise("depthwise convolution larger than the image", 5, 1, 2, 2, 1),
		{"spatial mean", [][]int{{b, 2, 3, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.SpatialMean(x[0]) },
			func(x [][]float64) []float64 {
				y := make([]float64, b*w)
				for i, v := range x[0] {
					y[i/(6*w)*w+i%w] += v / 6
				}
				return y
			}},
		{"columns", [][]int{{b, l, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Columns(x[0], 1, 2) },
			func(x [][]float64) []float64 {
				var y []float64
				for i := range b * l {
					y = append(y, x[0][i*w+1:][:2]...)
				}
				return y
			}},
		{"positional embedding of three dimensions", [][]int{{b, l, w}, {1, l, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.AddPositions(x[0], x[1]) },
			func(x [][]float64) []float64 { return plus(x[0], append(append([]float64{}, x[1]...), x[1]...)) }},
		{"token", [][]int{{b, l, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Token(x[0], 1) },
			func(x [][]float64) []float64 {
				return append(append([]float64{}, x[0][w:2*w]...), x[0][(l+1)*w:][:w]...)
			}},
		{"token at", [][]int{{b, l, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node { return nn.TokenAt(x[0], ints(g, "at", last, b)) },
			func(x [][]float64) []float64 {
				return append(append([]float64{}, x[0][2*w:3*w]...), x[0][(l+4)*w:][:w]...)
			}},
		{"keep", [][]int{{b, l, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node {
				return nn.Keep(x[0], ints(g, "at", []int32{0, 2, 3, 3}, b, 2), 1)
			},
			func(x [][]float64) []float64 {
				var y []float64
				for _, row := range []int{0, 1, 3, l, l + 4, l + 4} {
					y = append(y, x[0][row*w:][:w]...)
				}
				return y
			}},
		{"mean", [][]int{{b, l, w}},
			func(_ *G.ExprGraph, x []*G.Node) *G.Node { return nn.Mean(x[0], 1) },
			func(x [][]float64) []float64 { return refMean(x[0], b, l, w, func(int) (int, int) { return 1, l }) }},
		{"mean through", [][]int{{b, l, w}},
			func(g *G.ExprGraph, x []*G.Node) *G.Node { return nn.MeanThrough(x[0], ints(g, "last", last, b)) },
			func(x [][]float64) []float64 {
				return refMean(x[0], b, l, w, func(n int) (int, int) { return 0, int(last[n]) + 1 })
			}},
	}
}

func refMean(x []float64, b, l, w int, span func(int) (int, int)) []float64 {
	y := make([]float64, b*w)
	for n := range b {
		from, to := span(n)
		for t := from; t < to; t++ {
			for j := range w {
				y[n*w+j] += x[(n*l+t)*w+j] / float64(to-from)
			}
		}
	}
	return y
}

func allLayers() []layer {
	return slices.Concat(layers(), convLayers(), variantLayers(), branchedLayers(), textLayers(), pickedLayers())
}

// TestGradients holds each layer between stock gorgonia nodes,
//
//	cost = Σ weight ∘ layer(mask ∘ x)
//
// and compares the cost and its gradients, by [nn.Grad] and by gorgonia.Grad, on
// a Machine and on a bare tape machine, with central differences in float64.
func TestGradients(t *testing.T) {
	for _, l := range allLayers() {
		t.Run(l.name, func(t *testing.T) {
			c := newCase(l)
			want := c.differences()
			for _, how := range []string{"ours", "stock", "lisp"} {
				cost, grads := c.run(t, how)
				if diff := math.Abs(cost - c.cost(c.x)); !(diff <= 1e-5*(1+math.Abs(cost))) {
					t.Errorf("%s: cost %g, want %g", how, cost, c.cost(c.x))
				}
				for i := range want {
					compare(t, fmt.Sprintf("%s: gradient of input %d", how, i), grads[i], want[i])
				}
			}
		})
	}
}

func compare(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	var top float64
	for _, v := range want {
		top = math.Max(top, math.Abs(v))
	}
	tol := 1e-5*top + 1e-6
	for i := range want {
		if diff := math.Abs(float64(got[i]) - want[i]); !(diff <= tol) {
			t.Fatalf("%s: element %d is %g, want %g, tolerance %g", what, i, got[i], want[i], tol)
		}
	}
}

type gradCase struct {
	layer
	x, mask [][]float64
	weight  []float64
}

func newCase(l layer) *gradCase {
	rng := rand.New(rand.NewPCG(7, uint64(len(l.name))))
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = float64(float32(rng.NormFloat64()))
		}
		return v
	}
	c := &gradCase{layer: l}
	for _, s := range l.shapes {
		n := tensor.Shape(s).TotalSize()
		c.x, c.mask = append(c.x, draw(n)), append(c.mask, draw(n))
	}
	c.weight = draw(len(l.ref(c.x)))
	return c
}

func (c *gradCase) cost(x [][]float64) float64 {
	masked := make([][]float64, len(x))
	for i := range x {
		masked[i] = make([]float64, len(x[i]))
		for j := range x[i] {
			masked[i][j] = x[i][j] * c.mask[i][j]
		}
	}
	var sum float64
	for i, y := range c.ref(masked) {
		sum += y * c.weight[i]
	}
	return sum
}

func (c *gradCase) differences() [][]float64 {
	const h = 1e-5
	grads := make([][]float64, len(c.x))
	for i, x := range c.x {
		grads[i] = make([]float64, len(x))
		for j, v := range x {
			x[j] = v + h
			up := c.cost(c.x)
			x[j] = v - h
			grads[i][j] = (up - c.cost(c.x)) / (2 * h)
			x[j] = v
		}
	}
	return grads
}

func leaf(g *G.ExprGraph, name string, v []float64, shape []int) *G.Node {
	data := make([]float32, len(v))
	for i := range v {
		data[i] = float32(v[i])
	}
	return G.NewTensor(g, tensor.Float32, len(shape), G.WithName(name), G.WithShape(shape...),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))))
}

func (c *gradCase) run(t *testing.T, how string) (float64, [][]float32) {
	t.Helper()
	g := G.NewGraph()
	var xs, in []*G.Node
	for i, s := range c.shapes {
		x := leaf(g, fmt.Sprint("x", i), c.x[i], s)
		xs = append(xs, x)
		in = append(in, G.Must(G.HadamardProd(x, leaf(g, fmt.Sprint("mask", i), c.mask[i], s))))
	}
	y := c.build(g, in)
	cost := G.Must(G.Sum(G.Must(G.HadamardProd(y, leaf(g, "weight", c.weight, y.Shape())))))
	grads := make([][]float32, len(xs))
	switch how {
	case "ours":
		nodes, err := nn.Grad(cost, xs...)
		must(t, err)
		m, err := nn.NewMachine(g, append(nodes, cost)...)
		must(t, err)
		must(t, m.Run())
		must(t, m.Run()) // buffers that went round once more hold the same
		for i, n := range nodes {
			grads[i] = n.Value().Data().([]float32)
		}
	case "stock":
		nodes, err := G.Grad(cost, xs...)
		must(t, err)
		vm := G.NewTapeMachine(g)
		must(t, vm.RunAll())
		for i, n := range nodes {
			grads[i] = n.Value().Data().([]float32)
		}
	case "lisp":
		must(t, G.NewLispMachine(g).RunAll())
		for i, x := range xs {
			v, err := x.Grad()
			must(t, err)
			grads[i] = v.Data().([]float32)
		}
	}
	return float64(cost.Value().Data().(float32)), grads
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestShapeErrors names the layer and the shapes of what does not fit.
func TestShapeErrors(t *testing.T) {
	g := G.NewGraph()
	m := func(name string, shape ...int) *G.Node {
		return leaf(g, name, make([]float64, tensor.Shape(shape).TotalSize()), shape)
	}
	for _, c := range []struct {
		want  string
		build func()
	}{
		{"linear: input (2, 3) ends in 3, weight (4, 5) takes 5", func() { nn.LinearOf(m("a", 2, 3), m("w", 4, 5), nil) }},
		{"attention: qkv (1, 2, 9) does not split into q, k and v of 2 heads", func() { nn.Attention(m("q", 1, 2, 9), 2, nn.NoMask, nil) }},
		{"attention: a padding mask without last tokens", func() { nn.Attention(m("q6", 1, 2, 6), 2, nn.Padding, nil) }},
		{"attention: bias has shape (2, 3, 3), want (2, 2, 2)", func() { nn.BiasedAttention(m("qb", 1, 2, 12), m("bias", 2, 3, 3), 2) }},
		{"relative positions: table has shape (8, 2), want (9, any)", func() { nn.RelativePositions(m("rp", 8, 2), [2]int{2, 2}, 0) }},
		{"add: shapes (2, 3) and (3, 2) differ", func() { nn.Add(m("c", 2, 3), m("d", 3, 2)) }},
		{"mean: no tokens from -1 of 2 on", func() { nn.Mean(m("t", 1, 2, 3), -1) }},
		{"positional embedding: 4 tokens, but 3 positions", func() { nn.AddPositions(m("e", 1, 4, 2), m("f", 3, 2)) }},
		{"keep: the first 5 and 1 others of 4 tokens", func() { nn.Keep(m("k", 1, 4, 2), m("at", 1, 1), 5) }},
		{"keep: positions has shape (2, 1), want (1, any)", func() { nn.Keep(m("k2", 1, 4, 2), m("at2", 2, 1), 1) }},
		{"rotary embedding: qkv (1, 4, 9) does not split into q, k and v of heads of 4, a multiple of 4", func() {
			nn.NewRotaryEmbedding(nn.RotaryGrid{Grid: [2]int{2, 2}, Head: 4}).Forward(m("r", 1, 4, 9), nil)
		}},
		{"rotary embedding: 4 tokens, want 1 and 4 patches", func() {
			nn.NewRotaryEmbedding(nn.RotaryGrid{Grid: [2]int{2, 2}, Head: 4, Prefix: 1}).Forward(m("r2", 1, 4, 12), nil)
		}},
		{"q and v bias: v bias has shape (3), want (2)", func() { nn.QVBias(m("b2", 2), m("b3", 3)) }},
		{"join columns: shapes (2, 3) and (3, 3) differ in more than their columns", func() { nn.JoinColumns(m("j", 2, 3), m("j2", 3, 3)) }},
		{"layer scale: gamma has shape (3), want (2)", func() { nn.LayerScaleOf(m("ls", 2, 2), m("ls2", 3)) }},
		{"bias: bias has shape (3), want (2)", func() { nn.AddBias(m("ab", 2, 2), m("ab2", 3)) }},
		{"pixels: input has shape (1, 5, 2), want (any, 6, any)", func() { nn.Pixels(m("px", 1, 5, 2), 2, 3) }},
		{"scale channels: factors has shape (2, 4), want (1, 4)", func() { nn.ScaleChannels(m("sc", 1, 2, 2, 4), m("sc2", 2, 4)) }},
		{"branched convolution: a kernel (2, 1, 5, 5) within one of [2 1 3 3]", func() {
			n := m("bc", 2)
			nn.BranchedConvOf(m("bx", 1, 4, 4, 2), []int{2, 1, 3, 3}, 2, 1, false, nil, nn.FoldedBranch{Weight: m("bk", 2, 1, 5, 5), Gamma: n, Beta: n, Mean: n, Variance: n})
		}},
		{"average pool: no square of 3×3 with stride 2 and padding 2 in input (1, 4, 4, 2)", func() { nn.AvgPool2DWithin(m("ap", 1, 4, 4, 2), 3, 2, 2) }},
		{"windows: windows [2 2], shifted by [2 0], of images [4 4]", func() {
			nn.Windows{Image: [2]int{4, 4}, Window: [2]int{2, 2}, Shift: [2]int{2, 0}}.Partition(m("wi", 1, 4, 4, 2))
		}},
		{"windows: 3 windows, of which an image has 2 × 2", func() {
			nn.Windows{Image: [2]int{4, 4}, Window: [2]int{2, 2}}.Merge(m("wi2", 3, 4, 2))
		}},
		{"grid positions: table has shape (1, 2, 2, 3), want (1, any, any, 4)", func() {
			nn.GridPositions(m("gp", 1, 5, 4), ints(g, "gp2", []int32{1, 1}, 1, 2), m("gp3", 1, 2, 2, 3), nn.Bicubic)
		}},
		{"tokens: no tokens from 3 of 3 on", func() { nn.TokensFrom(m("tf", 1, 3, 2), 3) }},
		{"patches: no patch of 5 × 5 in pixels (1, 3, 4, 4)", func() { nn.Patchify(m("pa", 1, 3, 4, 4), 5) }},
		{"class token: position 4 of 3", func() { nn.Insert(m("in", 2), m("in2", 1, 3, 2), 4) }},
		{"cross attention: keys has shape (2, 4, 6), want (1, any, 6)", func() {
			nn.CrossAttention(m("ca", 1, 3, 6), m("ca2", 2, 4, 6), m("ca3", 2, 4, 6), 2)
		}},
		{"tokens: input has shape (2, 3), want (any, any, any, any)", func() { nn.Tokens(m("tk", 2, 3)) }},
		{"swiglu: shapes (2, 3) and (3, 2) differ", func() { nn.SwiGLU(m("s", 2, 3), m("s2", 3, 2)) }},
		{"mul: shapes (2, 3) and (3, 2) differ", func() { nn.Mul(m("mu", 2, 3), m("mu2", 3, 2)) }},
		{"attention: window -1, want 0 or more", func() { nn.Attend(m("qw", 1, 2, 12), nn.Attending{Heads: 2, Window: -1}) }},
		{"attention: keys has shape (2, 2), want (1, 2)", func() { nn.Attend(m("qk", 1, 2, 12), nn.Attending{Heads: 2, Keys: m("ks", 2, 2)}) }},
		{"attention pool: keys has shape (1, 2), want (1, 3)", func() {
			nn.MaskedAttentionPool(m("pq", 1, 4), m("pk", 1, 3, 4), m("pv", 1, 3, 4), m("pm", 1, 2), 2)
		}},
		{"mean: keys has shape (1, 3), want (1, 2)", func() { nn.MeanOf(m("mo", 1, 2, 3), m("mk", 1, 3)) }},
		{"max: keys has shape (1, 3), want (1, 2)", func() { nn.MaxOf(m("xo", 1, 2, 3), m("xk", 1, 3)) }},
		{"padding: keys has shape (1, 3), want (1, 2)", func() { nn.OnlyKeys(m("oo", 1, 2, 3), m("ok", 1, 3)) }},
		{"rms norm: input (2, 5) does not end in rows of 3", func() { nn.RMSNormOf(m("rn", 2, 5), m("rg", 3), 1e-5) }},
		{"rotary embedding: qkv (1, 4, 12) does not split into q, k and v of heads of 3, a multiple of 2", func() { nn.RotaryLine{Head: 3}.Forward(m("rl", 1, 4, 12)) }},
		{"positional embedding: table has shape (2, 3), want (any, 4)", func() {
			nn.AddCountedPositions(m("cp", 1, 2, 4), ints(g, "cids", make([]int32, 2), 1, 2), m("ct", 2, 3), 0)
		}},
		{"token types: table has shape (2, 3), want (any, 4)", func() { nn.AddKinds(m("tt", 1, 2, 4), nil, m("tb", 2, 3)) }},
		{"distance buckets: 6 rows for 0 tokens up to distance 8", func() { nn.DistanceBuckets(m("db", 6, 2), 0, 8) }},
		{"sigmoid gate: shapes (2, 3) and (3, 2) differ", func() { nn.SigmoidGate(m("sg", 2, 3), m("sx", 3, 2)) }},
		{"class token: class embedding has shape (3), want (4)", func() { nn.Append(m("ap", 1, 2, 4), m("ac", 3)) }},
		{"token: position 4 of 4", func() { nn.Token(m("h", 1, 4, 2), 4) }},
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

// TestRunErrors turns a panic inside an op into an error of the run.
func TestRunErrors(t *testing.T) {
	g := G.NewGraph()
	nn.Embedding(ints(g, "ids", []int32{0, 1, 9, 2}, 2, 2), leaf(g, "table", make([]float64, 6), []int{3, 2}))
	m, err := nn.NewMachine(g)
	must(t, err)
	err = m.Run()
	want := "id 9 of sample 1 at position 0 is outside the vocabulary of 3"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want …%s", err, want)
	}
}

// TestMachineMemory runs a deep chain: its buffers are those of a few layers.
func TestMachineMemory(t *testing.T) {
	g := G.NewGraph()
	x := leaf(g, "x", make([]float64, 1000), []int{10, 100})
	y := x
	for range 50 {
		y = nn.Activate(nn.GELU, y)
	}
	m, err := nn.NewMachine(g, y)
	must(t, err)
	must(t, m.Run())
	if got := m.Buffers(); got > 3 {
		t.Errorf("a chain of 50 layers borrowed %d buffers, want at most 3", got)
	}
}

// TestWorkspace: the memory that a graph is said to need is what its run takes, with
// weights that have no memory yet when it is asked.
func TestWorkspace(t *testing.T) {
	build := func(params ...*nn.Param) *nn.Machine {
		g := G.NewGraph()
		x := leaf(g, "x", make([]float64, 1200), []int{1, 10, 120})
		y := x
		for _, p := range params {
			y = nn.Add(y, nn.Activate(nn.GELU, nn.LinearOf(nn.Activate(nn.QuickGELU, nn.LinearOf(y, p.Node(g), nil)), p.Node(g), nil)))
		}
		m, err := nn.NewMachine(g, y)
		must(t, err)
		return m
	}
	a, b := nn.NewParam("a", 120, 120), nn.NewParam("b", 120, 120)
	want, err := build(a, b).Workspace()
	must(t, err)
	if err := build(a, b).Run(); err == nil {
		t.Error("a graph without weights ran")
	}
	a.Init(1)
	b.Init(2)
	m := build(a, b)
	got, err := m.Workspace()
	must(t, err)
	must(t, m.Run())
	if got != want || got != m.Bytes() || got == 0 {
		t.Errorf("%d bytes with and %d without weights, but the run took %d", got, want, m.Bytes())
	}
	if _, err := new(nn.Machine).Workspace(); err == nil {
		t.Error("an empty machine has a workspace")
	}
}
