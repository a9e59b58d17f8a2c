package nn

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// RMSNorm divides rows by their root mean square and scales them (Zhang and Sennrich,
// 2019).
type RMSNorm struct {
	Weight *Param // (W)
	Eps    float64
}

// NewRMSNorm returns the identity scale.
func NewRMSNorm(name string, width int, eps float64) *RMSNorm {
	return &RMSNorm{NewParam(name+".weight", width).Fill(1), eps}
}

// Params lists the layer's parameter; none of a nil layer.
func (r *RMSNorm) Params() []*Param {
	if r == nil {
		return nil
	}
	return []*Param{r.Weight}
}

// Forward maps (…, n·W) to (…, n·W): each run of W numbers is a row of its own, such as
// one head of n. A nil layer changes nothing.
func (r *RMSNorm) Forward(x *G.Node) *G.Node {
	if r == nil {
		return x
	}
	return rmsNorm(x, r.Weight.Node(x.Graph()), r.Eps)
}

func rmsNorm(x, gamma *G.Node, eps float64) *G.Node {
	WantShape("rms norm", "weight", gamma, -1)
	shape, w := x.Shape(), gamma.Shape()[0]
	if len(shape) < 1 || shape[len(shape)-1]%w != 0 {
		Fail("rms norm", "input %v does not end in rows of %d", shape, w)
	}
	rows := size(shape) / w
	rstd := make([]float32, rows)
	return Apply(Op{
		Name:  "rms norm",
		Shape: shape,
		Forward: func(y []float32, x Inputs) {
			in, gamma := x.F32(0), x.F32(1)
			spans(rows, w, func(from, to int) {
				for i := from; i < to; i++ {
					x, y := in[i*w:][:w], y[i*w:][:w]
					rstd[i] = float32(1 / math.Sqrt(kernel.SumSquares(x)/float64(w)+eps))
					for j, v := range x {
						y[j] = v * rstd[i] * gamma[j]
					}
				}
			})
		},
		// With r = 1/rms(x) and g = γ∘dy: dx = r·(g − x·r²·⟨g, x⟩/W), dγ = Σ dy∘x·r.
		Backward: []Pullback{
			Back(func(dx []float32, x Inputs, _, dy []float32) {
				in, gamma := x.F32(0), x.F32(1)
				spans(rows, w, func(from, to int) {
					for i := from; i < to; i++ {
						x, dx, dy, r := in[i*w:][:w], dx[i*w:][:w], dy[i*w:][:w], rstd[i]
						for j, v := range dy {
							dx[j] = v * gamma[j]
						}
						by := r * r * kernel.Dot(dx, x) / float32(w)
						for j, v := range x {
							dx[j] = r * (dx[j] - v*by)
						}
					}
				})
			}).Reads(0, 1),
			Back(func(dg []float32, x Inputs, _, dy []float32) {
				in := x.F32(0)
				parallel.For(w, func(j int) {
					var sum float64
					for i := range rows {
						sum += float64(dy[i*w+j]) * float64(in[i*w+j]*rstd[i])
					}
					dg[j] = float32(sum)
				})
			}).Reads(0),
		},
	}, x, gamma)
}
