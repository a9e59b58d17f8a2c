package nn

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// ParseActivation resolves an activation by name: "gelu" (erf), "gelu_tanh" or
// "quick_gelu", x·sigmoid(1.702x), OpenAI's choice.
func ParseActivation(name string) (kernel.Activation, error) {
	switch name {
	case "gelu":
		return kernel.GELU, nil
	case "gelu_tanh":
		return kernel.GELUTanh, nil
	case "quick_gelu":
		return kernel.QuickGELU, nil
	}
	return 0, fmt.Errorf("unknown activation %q, want gelu, gelu_tanh or quick_gelu", name)
}

// Activate applies act elementwise.
func Activate(act kernel.Activation, x *G.Node) *G.Node {
	return Apply(Op{
		Name:    "activation",
		Shape:   x.Shape(),
		Forward: func(y []float32, x Inputs) { kernel.Activate(act, y, x.F32(0)) },
		Backward: []Pullback{Back(func(dx []float32, x Inputs, _, dy []float32) {
			kernel.ActivateBackward(act, dx, x.F32(0), dy)
		})},
	}, x)
}

// Exp is eˣ, elementwise.
func Exp(x *G.Node) *G.Node {
	return Apply(Op{
		Name:    "exp",
		Shape:   x.Shape(),
		Forward: func(y []float32, x Inputs) { kernel.Exp(y, x.F32(0)) },
		Backward: []Pullback{Back(func(dx []float32, _ Inputs, y, dy []float32) {
			for i := range dx {
				dx[i] = y[i] * dy[i]
			}
		})},
	}, x)
}
