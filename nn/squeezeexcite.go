package nn

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// SqueezeExcite multiplies each channel of an image by a gate that an MLP computes from
// the means of all channels (Hu et al., 2018):
//
//	y = x·sigmoid(fc2(act(fc1(mean x))))
type SqueezeExcite struct {
	FC1, FC2 *Linear
	Act      func(*G.Node) *G.Node // ReLU, in the paper
}

// Params lists the MLP's parameters.
func (s *SqueezeExcite) Params() []*Param { return append(s.FC1.Params(), s.FC2.Params()...) }

// Forward maps (B, H, W, C) to (B, H, W, C).
func (s *SqueezeExcite) Forward(x *G.Node) *G.Node {
	h := s.Act(s.FC1.Forward(SpatialMean(x)))
	return ScaleChannels(x, Sigmoid(s.FC2.Forward(h)))
}

// ScaleChannels multiplies each channel of a sample by a number: (B, H, W, C), (B, C) →
// (B, H, W, C).
func ScaleChannels(x, by *G.Node) *G.Node {
	WantShape("scale channels", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	b, area, c := s[0], s[1]*s[2], s[3]
	WantShape("scale channels", "factors", by, b, c)
	times := func(dst, x, by []float32) {
		spans(b*area, c, func(from, to int) {
			for i := from; i < to; i++ {
				kernel.Mul(dst[i*c:][:c], x[i*c:][:c], by[i/area*c:][:c])
			}
		})
	}
	return Apply(Op{
		Name:    "scale channels",
		Shape:   s, // (B, H, W, C)
		Forward: func(y []float32, x Inputs) { times(y, x.F32(0), x.F32(1)) },
		parts: func(y []float32, x Inputs, next step) {
			spans(b*area, c, func(from, to int) {
				for i := from; i < to; i++ {
					row := y[i*c:][:c]
					kernel.Mul(row, x.F32(0)[i*c:][:c], x.F32(1)[i/area*c:][:c])
					next(row, i*c)
				}
			})
		},
		Backward: []Pullback{
			Back(func(dx []float32, x Inputs, _, dy []float32) { times(dx, dy, x.F32(1)) }).Reads(1),
			Back(func(dby []float32, x Inputs, _, dy []float32) {
				product := make([]float32, area*c)
				for i := range b {
					for j, v := range x.F32(0)[i*area*c:][:area*c] {
						product[j] = v * dy[i*area*c+j]
					}
					kernel.ColSum(dby[i*c:][:c], product, area, c)
				}
			}).Reads(0),
		},
	}, x, by)
}

// Sigmoid is 1/(1+e⁻ˣ), elementwise.
func Sigmoid(x *G.Node) *G.Node {
	n := size(x.Shape())
	return Apply(Op{
		Name:  "sigmoid",
		Shape: x.Shape(),
		Forward: func(y []float32, x Inputs) {
			in := x.F32(0)
			spans(n, 1, func(from, to int) {
				for i, v := range in[from:to] {
					y[from+i] = float32(1 / (1 + math.Exp(-float64(v))))
				}
			})
		},
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, y, dy []float32) {
			for i, v := range y {
				dx[i] = dy[i] * v * (1 - v)
			}
		})},
	}, x)
}
