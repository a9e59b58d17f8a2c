package kernel

import (
	"fmt"
	"math"
)

// Activation is the nonlinearity of an MLP.
type Activation uint8

const (
	GELU      Activation = iota // x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016)
	GELUTanh                    // GELU's tanh form, x/2·(1 + tanh(√(2/π)·(x + 0.044715x³)))
	QuickGELU                   // x·sigmoid(1.702x), of OpenAI's CLIP
	SiLU                        // x·sigmoid(x) (Elfwing et al. 2018)

	activations = iota // how many there are
)

// Activate computes dst = act(x). dst may be x. At -Inf it gives the limit, -0.
//
// The error is at most 7 units in the last place of the result, or 1e-42. For
// GELUTanh at x < 0, where act decays as e^-z, z = 2√(2/π)·(|x| + 0.044715|x|³),
// it is at most 7 + 2z units.
func Activate(act Activation, dst, x []float32) {
	checkLen("dst", dst, len(x))
	checkActivation(act)
	if len(x) <= chunk {
		isa.activate[act](dst, x)
		return
	}
	chunks(len(x), func(i, j int) { isa.activate[act](dst[i:j], x[i:j]) })
}

// ActivateBackward computes dx = dy·act'(x). dx may be dy. At -Inf and +Inf act'
// is 0 and 1.
//
// The error of act' is at most 2⁻²¹·(|act'(x)| + s(x)), or 1e-42, where s is Φ or
// the sigmoid of which act is x·s; for GELUTanh at x < 0, 1 + z/2 times that.
func ActivateBackward(act Activation, dx, x, dy []float32) {
	checkLen("dx", dx, len(x))
	checkLen("dy", dy, len(x))
	checkActivation(act)
	if len(x) <= chunk {
		isa.activateBackward[act](dx, x, dy)
		return
	}
	chunks(len(x), func(i, j int) { isa.activateBackward[act](dx[i:j], x[i:j], dy[i:j]) })
}

func checkActivation(act Activation) {
	if act >= activations {
		panic(fmt.Sprintf("kernel: unknown activation %d", act))
	}
}

func geluGo(dst, x []float32)      { activateGo(GELU, dst, x) }
func geluTanhGo(dst, x []float32)  { activateGo(GELUTanh, dst, x) }
func quickGELUGo(dst, x []float32) { activateGo(QuickGELU, dst, x) }
func siluGo(dst, x []float32)      { activateGo(SiLU, dst, x) }

func geluBackwardGo(dx, x, dy []float32)      { activateBackwardGo(GELU, dx, x, dy) }
func geluTanhBackwardGo(dx, x, dy []float32)  { activateBackwardGo(GELUTanh, dx, x, dy) }
func quickGELUBackwardGo(dx, x, dy []float32) { activateBackwardGo(QuickGELU, dx, x, dy) }
func siluBackwardGo(dx, x, dy []float32)      { activateBackwardGo(SiLU, dx, x, dy) }

func activateGo(act Activation, dst, x []float32) {
	for i, v := range x {
		y, _ := activation(act, float64(v))
		dst[i] = float32(y)
	}
}

func activateBackwardGo(act Activation, dx, x, dy []float32) {
	for i, v := range x {
		_, d := activation(act, float64(v))
		dx[i] = dy[i] * float32(d)
	}
}

// activation returns act(x) and act'(x). At the infinities they are the limits:
// 0 and 0 at -Inf, +Inf and 1 at +Inf.
func activation(act Activation, x float64) (y, dy float64) {
	lo := max(x, -120) // act is 0 in float32 there, where -Inf·0 would be NaN
	hi := min(lo, 100)
	switch act {
	case GELU:
		phi := 0.5 * math.Erfc(-x/math.Sqrt2)
		return lo * phi, phi + hi*math.Exp(-hi*hi/2)/math.Sqrt(2*math.Pi)
	case GELUTanh:
		const c, d = 0.7978845608028654, 0.044715 // c = √(2/π)
		s := sigmoid(2 * c * lo * (1 + d*lo*lo))
		return lo * s, s + hi*s*sigmoid(-2*c*lo*(1+d*lo*lo))*2*c*(1+3*d*hi*hi)
	default:
		c := 1.702
		if act == SiLU {
			c = 1
		}
		s := sigmoid(c * lo)
		return lo * s, s + hi*s*sigmoid(-c*lo)*c
	}
}

func sigmoid(x float64) float64 {
	return 1 / (1 + math.Exp(-x))
}
