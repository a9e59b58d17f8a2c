package nn

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// BatchNorm normalises each channel by the mean and variance that training
// gathered, then scales and shifts it (Ioffe and Szegedy, 2015): what PyTorch
// computes in evaluation mode. It never updates the statistics, and no gradient
// flows to them.
type BatchNorm struct {
	Weight, Bias *Param // (C)
	Mean, Var    *Param // (C), buffers
	Eps          float64
}

// NewBatchNorm returns the identity on c channels, but for eps, 1e-5. The
// statistics are named name.running_mean and name.running_var.
func NewBatchNorm(name string, c int) *BatchNorm {
	n := &BatchNorm{
		Weight: NewParam(name+".weight", c).Fill(1),
		Bias:   NewParam(name+".bias", c),
		Mean:   NewParam(name+".running_mean", c),
		Var:    NewParam(name+".running_var", c).Fill(1),
		Eps:    1e-5,
	}
	n.Mean.Buffer, n.Var.Buffer = true, true
	return n
}

// Params lists the layer's parameters and its statistics.
func (n *BatchNorm) Params() []*Param { return []*Param{n.Weight, n.Bias, n.Mean, n.Var} }

// Forward maps (…, C) to (…, C).
func (n *BatchNorm) Forward(x *G.Node) *G.Node {
	g := x.Graph()
	return batchNorm(x, n.Weight.Node(g), n.Bias.Node(g), n.Mean.Node(g), n.Var.Node(g), n.Eps)
}

// batchNorm is y = scale·x + shift with scale = γ/√(σ²+ε) and shift = β − μ·scale.
func batchNorm(x, gamma, beta, mean, variance *G.Node, eps float64) *G.Node {
	rows, c := rowsOf(x.Shape())
	WantShape("batch norm", "weight", gamma, c)
	WantShape("batch norm", "bias", beta, c)
	WantShape("batch norm", "running mean", mean, c)
	WantShape("batch norm", "running variance", variance, c)
	rstd, scale, shift := make([]float32, c), make([]float32, c), make([]float32, c)
	return Apply(Op{
		Name:  "batch norm",
		Shape: x.Shape(),
		Forward: func(y []float32, x Inputs) {
			in, gamma, beta, mean, variance := x.F32(0), x.F32(1), x.F32(2), x.F32(3), x.F32(4)
			for j := range c {
				rstd[j] = float32(1 / math.Sqrt(float64(variance[j])+eps))
				scale[j] = gamma[j] * rstd[j]
				shift[j] = beta[j] - mean[j]*scale[j]
			}
			spans(rows, c, func(from, to int) {
				for i := from; i < to; i++ {
					x, y := in[i*c:][:c], y[i*c:][:c]
					for j, v := range x {
						y[j] = v*scale[j] + shift[j]
					}
				}
			})
		},
		Backward: []Pullback{
			Back(func(dx []float32, _ Inputs, _, dy []float32) {
				spans(rows, c, func(from, to int) {
					for i := from; i < to; i++ {
						dx, dy := dx[i*c:][:c], dy[i*c:][:c]
						for j, v := range dy {
							dx[j] = v * scale[j]
						}
					}
				})
			}),
			Back(func(dg []float32, x Inputs, _, dy []float32) {
				in, mean := x.F32(0), x.F32(3)
				const strip = 16
				parallel.For((c+strip-1)/strip, func(s int) {
					var sum [strip]float64
					j0, n := s*strip, min(strip, c-s*strip)
					for i := range rows {
						x, dy := in[i*c+j0:][:n], dy[i*c+j0:][:n]
						for j := range n {
							sum[j] += float64(dy[j]) * float64(x[j]-mean[j0+j])
						}
					}
					for j := range n {
						dg[j0+j] = float32(sum[j] * float64(rstd[j0+j]))
					}
				})
			}),
			Back(func(db []float32, _ Inputs, _, dy []float32) { kernel.ColSum(db, dy, rows, c) }),
			{}, {},
		},
	}, x, gamma, beta, mean, variance)
}

// ReLU is max(x, 0), elementwise.
func ReLU(x *G.Node) *G.Node {
	n := size(x.Shape())
	return Apply(Op{
		Name:  "relu",
		Shape: x.Shape(),
		Forward: func(y []float32, x Inputs) {
			in := x.F32(0)
			spans(n, 1, func(from, to int) {
				y := y[from:to]
				for i, v := range in[from:to] {
					y[i] = max(v, 0)
				}
			})
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, y, dy []float32) {
			spans(n, 1, func(from, to int) {
				dx, dy := dx[from:to], dy[from:to]
				for i, v := range y[from:to] {
					dx[i] = 0
					if v > 0 {
						dx[i] = dy[i]
					}
				}
			})
		})},
	}, x)
}

// spans calls f with ranges that cover all rows, in parallel where there is
// enough to do.
func spans(rows, cols int, f func(from, to int)) {
	group := max(1, 1<<14/max(cols, 1))
	parallel.For((rows+group-1)/group, func(g int) { f(g*group, min(rows, g*group+group)) })
}
