package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// LayerScale multiplies each channel of a residual branch by a learned factor (Touvron
// et al., 2021).
type LayerScale struct{ Gamma *Param } // (W), or with ones behind

// NewLayerScale returns a layer whose factors are init, small in deep towers,
// named name.gamma.
func NewLayerScale(name string, width int, init float64) *LayerScale {
	return &LayerScale{NewParam(name+".gamma", width).Fill(float32(init))}
}

// NewNamedLayerScale is [NewLayerScale] under the parameter's own name.
func NewNamedLayerScale(param string, width int, init float64) *LayerScale {
	return &LayerScale{NewParam(param, width).Fill(float32(init))}
}

// NewPointwiseLayerScale is [NewLayerScale] for images: the factors are (W, 1, 1).
func NewPointwiseLayerScale(name string, width int, init float64) *LayerScale {
	l := NewLayerScale(name, width, init)
	l.Gamma.Shape = []int{width, 1, 1}
	return l
}

// Params lists the layer's parameter; none of a nil layer.
func (l *LayerScale) Params() []*Param {
	if l == nil {
		return nil
	}
	return []*Param{l.Gamma}
}

// Forward maps (…, W) to (…, W). A nil layer changes nothing.
func (l *LayerScale) Forward(x *G.Node) *G.Node {
	if l == nil {
		return x
	}
	return layerScale(x, l.Gamma.Node(x.Graph()))
}

func layerScale(x, gamma *G.Node) *G.Node {
	rows, w := rowsOf(x.Shape())
	wantChannels("layer scale", "gamma", gamma, w)
	times := func(dst, x, gamma []float32) {
		spans(rows, w, func(from, to int) {
			for i := from; i < to; i++ {
				kernel.Mul(dst[i*w:][:w], x[i*w:][:w], gamma)
			}
		})
	}
	return Apply(Op{
		Name:    "layer scale",
		Shape:   x.Shape(),
		Forward: func(y []float32, x Inputs) { times(y, x.F32(0), x.F32(1)) },
		Backward: []Pullback{
			Back(func(dx []float32, x Inputs, _, dy []float32) { times(dx, dy, x.F32(1)) }).Reads(1),
			Back(func(dg []float32, x Inputs, _, dy []float32) {
				in := x.F32(0)
				const strip = 16
				parallel.For((w+strip-1)/strip, func(s int) {
					var sum [strip]float64
					j0, n := s*strip, min(strip, w-s*strip)
					for i := range rows {
						x, dy := in[i*w+j0:][:n], dy[i*w+j0:][:n]
						for j := range n {
							sum[j] += float64(dy[j]) * float64(x[j])
						}
					}
					for j := range n {
						dg[j0+j] = float32(sum[j])
					}
				})
			}).Reads(0),
		},
		inPlace: []func(Inputs) step{byColumn(w, 1, kernel.Mul), nil},
	}, x, gamma)
}

// wantChannels fails where v is not a vector of n, with ones behind or not.
func wantChannels(layer, what string, v *G.Node, n int) {
	if s := v.Shape(); len(s) != 3 || s[0] != n || s[1] != 1 || s[2] != 1 {
		WantShape(layer, what, v, n)
	}
}
