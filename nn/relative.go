package nn

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/parallel"
)

// RelativeMLP is a bias of attention's scores that an MLP computes from the relative
// position of two patches (Liu et al., 2022, Swin Transformer V2, section 3.3), here
// from sign(d)·ln(1+|d|) of the distance d along each axis, as timm's RelPosMlp in
// mode cr.
type RelativeMLP struct {
	FC1, FC2 *Linear
	grid     [2]int
	prefix   int
}

// NewRelativeMLP returns one for a grid of patches with prefix tokens in front of them,
// named name.fc1 and name.fc2.
func NewRelativeMLP(name string, grid [2]int, prefix, hidden, heads int) *RelativeMLP {
	r := &RelativeMLP{FC1: NewLinear(name+".fc1", 2, hidden), FC2: NewLinear(name+".fc2", hidden, heads), grid: grid, prefix: prefix}
	r.FC1.Weight.Normal(isqrt(2))
	r.FC2.Weight.Normal(isqrt(hidden))
	return r
}

// distances returns (T, 2), for each distance down and across.
func (r *RelativeMLP) distances() []float32 {
	var all []float32
	for y := 1 - r.grid[0]; y < r.grid[0]; y++ {
		for x := 1 - r.grid[1]; x < r.grid[1]; x++ {
			all = append(all, signedLog(y), signedLog(x))
		}
	}
	return all
}

func signedLog(d int) float32 {
	return float32(math.Copysign(math.Log1p(math.Abs(float64(d))), float64(d)))
}

// Params lists the layer's parameters.
func (r *RelativeMLP) Params() []*Param { return append(r.FC1.Params(), r.FC2.Params()...) }

// Forward returns the bias, (H, L, L).
func (r *RelativeMLP) Forward(g *G.ExprGraph) *G.Node {
	distances := r.distances()
	rows := len(distances) / 2
	// The addresses keep apart the leaves of two towers, and of two builds of a graph.
	coords := G.NewTensor(g, tensor.Float32, 2, G.WithName(fmt.Sprintf("distances@%p.%p", r, g)), G.WithShape(rows, 2),
		G.WithValue(tensor.New(tensor.WithShape(rows, 2), tensor.WithBacking(distances))))
	return RelativePositions(r.FC2.Forward(ReLU(r.FC1.Forward(coords))), r.grid, r.prefix)
}

// RelativePositions looks up, for each query and key among the patches of a grid, the
// row of a table that belongs to their distance, ((2h−1)·(2w−1), H) → (H, L, L): the
// query's place less the key's, (y+h−1)·(2w−1) + x+w−1. Tokens in front of the patches
// have 0.
func RelativePositions(table *G.Node, grid [2]int, prefix int) *G.Node {
	h, w := grid[0], grid[1]
	if h < 1 || w < 1 || prefix < 0 {
		Fail("relative positions", "%d tokens and a grid of %d × %d", prefix, h, w)
	}
	WantShape("relative positions", "table", table, (2*h-1)*(2*w-1), -1)
	heads, l := table.Shape()[1], prefix+h*w
	// each visits the elements of a head's bias with the row that each is of.
	each := func(f func(at, row int)) {
		for i := range h * w {
			for j := range h * w {
				f((prefix+i)*l+prefix+j, (i/w-j/w+h-1)*(2*w-1)+i%w-j%w+w-1)
			}
		}
	}
	return Apply(Op{
		Name:  "relative positions",
		Shape: tensor.Shape{heads, l, l}, // (H, L, L)
		Forward: func(y []float32, x Inputs) {
			table := x.F32(0)
			clear(y)
			parallel.For(heads, func(head int) {
				y := y[head*l*l:][:l*l]
				each(func(at, row int) { y[at] = table[row*heads+head] })
			})
		},
		Backward: []Pullback{Back(func(dt []float32, _ Inputs, _, dy []float32) {
			clear(dt)
			parallel.For(heads, func(head int) {
				dy := dy[head*l*l:][:l*l]
				each(func(at, row int) { dt[row*heads+head] += dy[at] })
			})
		}).Reads()},
	}, table)
}
