package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/kernel"
)

// Activation is the nonlinearity of an MLP. The zero value is none of them:
// checkpoints of one shape differ in it, so it has no default.
type Activation uint8

const (
	GELU      Activation = iota + 1 // x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel, 2016)
	GELUTanh                        // its approximation by tanh
	QuickGELU                       // x·sigmoid(1.702x), OpenAI's choice
)

func activationNames() map[Activation]string {
	return map[Activation]string{GELU: "gelu", GELUTanh: "gelu_tanh", QuickGELU: "quick_gelu"}
}

// String returns the name used in configurations.
func (a Activation) String() string { return enum.String(a, activationNames()) }

// MarshalText returns the name; an invalid Activation is an error.
func (a Activation) MarshalText() ([]byte, error) { return enum.Marshal(a, activationNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (a *Activation) UnmarshalText(text []byte) error {
	return enum.Unmarshal(a, text, activationNames())
}

// Valid reports what is wrong with a value that is no Activation.
func (a Activation) Valid() error { return enum.Valid(a, activationNames()) }

func (a Activation) kernel() kernel.Activation {
	switch a {
	case GELU:
		return kernel.GELU
	case GELUTanh:
		return kernel.GELUTanh
	case QuickGELU:
		return kernel.QuickGELU
	}
	Fail("activation", "%v, want one of nn's", a)
	return 0
}

// Activate applies act elementwise.
func Activate(act Activation, x *G.Node) *G.Node {
	return activate("activation", act.kernel(), x)
}

func activate(name string, k kernel.Activation, x *G.Node) *G.Node {
	w := belowOf(x.Shape())
	back := Back(func(dx []float32, x Inputs, _, dy []float32) {
		kernel.ActivateBackward(k, dx, x.F32(0), dy)
	}).Reads(0)
	back.inPlace = func(x Inputs) step {
		in := x.F32(0)
		return func(dst []float32, at int) {
			kernel.Ask(in, at+w, 0, 1, len(dst))
			kernel.ActivateBackward(k, dst, in[at:][:len(dst)], dst)
		}
	}
	return Apply(Op{
		Name:     name,
		Shape:    x.Shape(),
		Forward:  func(y []float32, x Inputs) { kernel.Activate(k, y, x.F32(0)) },
		Backward: []Pullback{back},
		inPlace: []func(Inputs) step{func(Inputs) step {
			return func(dst []float32, _ int) { kernel.Activate(k, dst, dst) }
		}},
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
