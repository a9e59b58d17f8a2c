package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// AddBias adds a vector to each row: (…, W) + (W) → (…, W).
func AddBias(x, bias *G.Node) *G.Node {
	rows, w := rowsOf(x.Shape())
	WantShape("bias", "bias", bias, w)
	return Apply(Op{
		Name:    "bias",
		Shape:   x.Shape(),
		Forward: func(y []float32, x Inputs) { kernel.AddRows(y, x.F32(0), x.F32(1), rows, w) },
		Backward: []Pullback{Through(), Back(func(db []float32, _ Inputs, _, dy []float32) {
			kernel.ColSum(db, dy, rows, w)
		}).Reads()},
		inPlace: []func(Inputs) step{byColumn(w, 1, kernel.Add), nil},
	}, x, bias)
}

// Tokens has each pixel as a token, in row-major order: (B, H, W, C) → (B, H·W, C).
func Tokens(x *G.Node) *G.Node {
	WantShape("tokens", "input", x, -1, -1, -1, -1)
	s := x.Shape()
	return Apply(Op{
		Name:     "tokens",
		Shape:    tensor.Shape{s[0], s[1] * s[2], s[3]}, // (B, H·W, C)
		Forward:  func(y []float32, x Inputs) { copy(y, x.F32(0)) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) { copy(dx, dy) }).Reads()},
	}, x)
}

// Pixels is the inverse of [Tokens]: (B, H·W, C) → (B, H, W, C).
func Pixels(x *G.Node, h, w int) *G.Node {
	WantShape("pixels", "input", x, -1, h*w, -1)
	s := x.Shape()
	return Apply(Op{
		Name:     "pixels",
		Shape:    tensor.Shape{s[0], h, w, s[2]}, // (B, H, W, C)
		Forward:  func(y []float32, x Inputs) { copy(y, x.F32(0)) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) { copy(dx, dy) }).Reads()},
	}, x)
}
