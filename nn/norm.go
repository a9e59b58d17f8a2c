package nn

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// LayerNorm normalises each row to zero mean and unit variance, then scales and
// shifts it (Ba et al., 2016).
type LayerNorm struct {
	Weight *Param // (W)
	Bias   *Param // (W); nil for none
	Eps    float64
}

// NewLayerNorm returns the identity scale and shift.
func NewLayerNorm(name string, width int, eps float64) *LayerNorm {
	return &LayerNorm{NewParam(name+".weight", width).Fill(1), NewParam(name+".bias", width), eps}
}

// Params lists the layer's parameters.
func (l *LayerNorm) Params() []*Param {
	if l.Bias == nil {
		return []*Param{l.Weight}
	}
	return []*Param{l.Weight, l.Bias}
}

// Forward maps (…, W) to (…, W).
func (l *LayerNorm) Forward(x *G.Node) *G.Node {
	if l.Bias == nil {
		return layerNorm(x, l.Weight.Node(x.Graph()), nil, l.Eps)
	}
	return layerNorm(x, l.Weight.Node(x.Graph()), l.Bias.Node(x.Graph()), l.Eps)
}

// layerNorm has no shift where beta is nil.
func layerNorm(x, gamma, beta *G.Node, eps float64) *G.Node {
	shape := x.Shape()
	rows, w := rowsOf(shape)
	WantShape("layer norm", "weight", gamma, w)
	in := []*G.Node{x, gamma}
	if beta != nil {
		WantShape("layer norm", "bias", beta, w)
		in = append(in, beta)
	}
	none := make([]float32, w)
	mean, rstd := make([]float32, rows), make([]float32, rows)
	unused := make([]float32, w) // beta's gradient, which has a pullback of its own
	back := []Pullback{
		Back(func(dx []float32, x Inputs, _, dy []float32) {
			kernel.LayerNormBackward(dx, x.F32(0), dy, x.F32(1), mean, rstd, rows, w)
		}).Reads(0, 1),
		Back(func(dg []float32, x Inputs, _, dy []float32) {
			kernel.LayerNormBackwardParams(dg, unused, x.F32(0), dy, mean, rstd, rows, w)
		}).Reads(0),
		Back(func(db []float32, _ Inputs, _, dy []float32) {
			kernel.ColSum(db, dy, rows, w)
		}).Reads(),
	}
	all := &joint{inputs: []int{0, 1, 2}[:len(in)], reads: []int{0, 1}, rows: true, fn: func(d [][]float32, x Inputs, dy []float32, next step) {
		db := unused
		if len(d) == 3 {
			db = d[2]
		}
		kernel.LayerNormGradients(d[0], d[1], db, x.F32(0), dy, x.F32(1), mean, rstd, rows, w, blocksOf(d[0], w, next))
	}}
	return Apply(Op{
		Name:  "layer norm",
		Shape: shape,
		Forward: func(y []float32, x Inputs) {
			shift := none
			if len(x) == 3 {
				shift = x.F32(2)
			}
			kernel.LayerNorm(y, x.F32(0), x.F32(1), shift, rows, w, float32(eps), mean, rstd)
		},
		Backward: back[:len(in)],
		joint:    all,
		inPlace: append(make([]func(Inputs) step, 0, len(in)), func(x Inputs) step {
			gamma, shift := x.F32(1), none
			if len(x) == 3 {
				shift = x.F32(2)
			}
			return func(dst []float32, at int) {
				kernel.LayerNorm(dst, dst, gamma, shift, len(dst)/w, w, float32(eps), mean[at/w:][:len(dst)/w], rstd[at/w:][:len(dst)/w])
			}
		}),
		wholeRows: true,
	}, in...)
}

// L2Normalize scales each row to length one, dividing by max(‖x‖, 1e-12) as
// torch.nn.functional.normalize does.
func L2Normalize(x *G.Node) *G.Node {
	shape := x.Shape()
	rows, d := rowsOf(shape)
	norms := make([]float32, rows)
	return Apply(Op{
		Name:  "l2 normalize",
		Shape: shape,
		Forward: func(y []float32, x Inputs) {
			for i := range rows {
				norms[i] = NormalizeRow(y[i*d:][:d], x.F32(0)[i*d:][:d])
			}
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, y, dy []float32) {
			// dx = (dy − y·⟨y, dy⟩) / ‖x‖
			for i := range rows {
				y, dy, dx := y[i*d:][:d], dy[i*d:][:d], dx[i*d:][:d]
				dot := kernel.Dot(y, dy)
				for j := range dx {
					dx[j] = (dy[j] - y[j]*dot) / norms[i]
				}
			}
		})},
	}, x)
}

// NormalizeRow writes x/max(‖x‖, 1e-12) to dst, which may be x, and returns the
// divisor.
func NormalizeRow(dst, x []float32) float32 {
	norm := float32(max(math.Sqrt(kernel.SumSquares(x)), 1e-12))
	for j, v := range x {
		dst[j] = v / norm
	}
	return norm
}
