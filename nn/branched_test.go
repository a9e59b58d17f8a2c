package nn_test

import (
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// testBranch is a branch of a kernel of size×size, 0 for BatchNorm alone.
type testBranch struct {
	size  int
	minus bool
}

// branched is a sum of branches between images of c channels and of n; with a scale
// where scaled.
func branched(name string, c, n, groups, stride int, residual, scaled bool, branches ...testBranch) layer {
	const b, h, w = 2, 4, 3
	mean, variance := []float64{0.5, -1, 2, 0.25, -0.5, 1}[:n], []float64{0.25, 3, 1, 0.5, 2, 1.5}[:n]
	kernel := func(size int) []int { return []int{n, c / groups, size, size} }
	shapes := [][]int{{b, h, w, c}}
	for _, br := range branches {
		shapes = append(shapes, []int{n}, []int{n})
		if br.size > 0 {
			shapes = append(shapes, kernel(br.size))
		}
	}
	if scaled {
		shapes = append(shapes, []int{n})
	}
	return layer{name, shapes,
		func(g *G.ExprGraph, x []*G.Node) *G.Node {
			m, v := leaf(g, "mean", mean, []int{n}), leaf(g, "var", variance, []int{n})
			var all []nn.FoldedBranch
			rest := x[1:]
			for _, br := range branches {
				f := nn.FoldedBranch{Gamma: rest[0], Beta: rest[1], Mean: m, Variance: v, Minus: br.minus}
				if rest = rest[2:]; br.size > 0 {
					f.Weight, rest = rest[0], rest[1:]
				}
				all = append(all, f)
			}
			var scale *G.Node
			if scaled {
				scale = rest[0]
			}
			return nn.BranchedConvOf(x[0], kernel(branches[0].size), groups, stride, residual, scale, all...)
		},
		func(x [][]float64) []float64 {
			var y []float64
			rest := x[1:]
			for _, br := range branches {
				gamma, beta := rest[0], rest[1]
				z := x[0]
				if rest = rest[2:]; br.size > 0 {
					z = refGroupedConv(x[0], rest[0], b, h, w, c, n, br.size, groups, stride)
					rest = rest[1:]
				}
				z = refBatchNorm(z, gamma, beta, mean, variance, 1e-5)
				if y == nil {
					y = make([]float64, len(z))
				}
				for i, v := range z {
					if br.minus {
						v = -v
					}
					y[i] += v
				}
			}
			if scaled {
				y = times(y, slices.Repeat(rest[0], len(y)/n))
			}
			if residual {
				y = plus(y, x[0])
			}
			return y
		}}
}

// refGroupedConv pads by half of the kernel's size.
func refGroupedConv(x, weight []float64, b, h, w, c, n, size, groups, stride int) []float64 {
	pad, in := size/2, c/groups
	oh, ow := (h+2*pad-size)/stride+1, (w+2*pad-size)/stride+1
	y := make([]float64, b*oh*ow*n)
	for i := range y {
		o, col, row, sample := i%n, i/n%ow, i/(n*ow)%oh, i/(n*ow*oh)
		for j := range in {
			for t := range size * size {
				r, q := row*stride-pad+t/size, col*stride-pad+t%size
				if r >= 0 && r < h && q >= 0 && q < w {
					y[i] += x[((sample*h+r)*w+q)*c+o/(n/groups)*in+j] * weight[(o*in+j)*size*size+t]
				}
			}
		}
	}
	return y
}

func branchedLayers() []layer {
	return []layer{
		branched("branched convolution", 3, 3, 1, 1, false, false, testBranch{size: 3}, testBranch{size: 1}, testBranch{}),
		branched("branched convolution with a stride", 3, 5, 1, 2, false, false, testBranch{size: 3}, testBranch{size: 1}),
		branched("branched convolution of pixels", 4, 4, 1, 1, false, false, testBranch{size: 1}, testBranch{}),
		branched("branched convolution of each channel", 3, 6, 3, 2, false, false, testBranch{size: 5}, testBranch{size: 3}),
		branched("branched convolution with all there is", 3, 3, 3, 1, true, true,
			testBranch{size: 3}, testBranch{size: 1}, testBranch{}, testBranch{minus: true}),
	}
}

// TestBranchedConvIsKept: where no parameter is written to, the convolution is computed
// once, to the same bits.
func TestBranchedConvIsKept(t *testing.T) {
	for _, groups := range []int{1, 6} {
		c := &nn.BranchedConv{
			Plus: []nn.Branch{nn.NewBranch("a", 6, 6, 1, groups), {Norm: nn.NewBatchNorm("b", 6)}}, Groups: groups, Stride: 1,
		}
		for i, p := range c.Params() {
			p.Init(uint64(i))
			for j := range p.Data {
				p.Data[j] += 0.25 * float32(j%3)
			}
		}
		run := func() []float32 {
			t.Helper()
			g := G.NewGraph()
			x := leaf(g, "x", wave(2*3*4*6), []int{2, 3, 4, 6})
			y := c.Forward(x)
			m, err := nn.NewMachine(g, y)
			must(t, err)
			must(t, m.Run())
			return slices.Clone(nn.Floats(y))
		}
		want := run()
		data := slices.Clone(c.Plus[0].Weight.Data)
		for _, p := range c.Params() {
			p.Map(p.Data, nil)
		}
		if got := run(); !slices.Equal(got, want) {
			t.Errorf("%d groups: kept, it gives %v, want %v", groups, got, want)
		}
		for i := range data {
			c.Plus[0].Weight.Data[i] = 7
		}
		if got := run(); !slices.Equal(got, want) {
			t.Errorf("%d groups: it is computed again", groups)
		}
	}
}
