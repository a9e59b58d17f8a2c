package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// Append puts the vector cls, (W) or (1, W), behind each sample's tokens: (B, L, W) →
// (B, L+1, W).
func Append(x, cls *G.Node) *G.Node {
	b, l, w := tokens("class token", x)
	if len(cls.Shape()) == 2 {
		WantShape("class token", "class embedding", cls, 1, w)
	} else {
		WantShape("class token", "class embedding", cls, w)
	}
	return Apply(Op{
		Name:  "class token",
		Shape: tensor.Shape{b, l + 1, w}, // (B, L+1, W)
		Forward: func(y []float32, x Inputs) {
			for i := range b {
				row := y[i*(l+1)*w:][:(l+1)*w]
				copy(row, x.F32(0)[i*l*w:][:l*w])
				copy(row[l*w:], x.F32(1))
			}
		},
		Backward: []Pullback{
			Back(func(dx []float32, _ Inputs, _, dy []float32) {
				for i := range b {
					copy(dx[i*l*w:][:l*w], dy[i*(l+1)*w:])
				}
			}).Reads(),
			Back(func(dcls []float32, _ Inputs, _, dy []float32) {
				clear(dcls)
				for i := range b {
					kernel.Axpy(dcls, 1, dy[(i*(l+1)+l)*w:][:w])
				}
			}).Reads(),
		},
	}, x, cls)
}
