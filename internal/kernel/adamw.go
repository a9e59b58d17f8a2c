package kernel

import (
	"math"
	"strconv"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// AdamWStep holds the numbers of one step of AdamW.
type AdamWStep struct {
	Beta1, Beta2, Eps, LR, WeightDecay float32
	Correction1, Correction2           float32 // 1-β^t of the two moments at step t
	GradScale                          float32 // gradients are multiplied by it: clipping
}

// AdamW updates the parameters p and the moments m and v in place from the
// gradients g: decoupled weight decay (Loshchilov & Hutter 2019), in the form
// of torch.optim.AdamW.
//
//	p -= lr·wd·p
//	m  = β1·m + (1-β1)·g
//	v  = β2·v + (1-β2)·g²
//	p -= lr/c1 · m / (√v/√c2 + eps)
func AdamW(p, g, m, v []float32, s AdamWStep) {
	checkLen("g", g, len(p))
	checkLen("m", m, len(p))
	checkLen("v", v, len(p))
	x := asm.AdamWScalars{
		Beta1: s.Beta1, Rest1: oneMinus(s.Beta1),
		Beta2: s.Beta2, Rest2: oneMinus(s.Beta2),
		Rate:  s.LR / s.Correction1,
		Root:  float32(1 / math.Sqrt(float64(s.Correction2))),
		Eps:   s.Eps,
		Decay: 1 - float32(s.LR*s.WeightDecay), // not fused: the same on every machine
		Grad:  s.GradScale,
	}
	chunks(len(p), func(i, j int) { isa.adamW(p[i:j], g[i:j], m[i:j], v[i:j], x) })
}

// oneMinus returns 1-β for the β that was written down: 0.001 for 0.999, where
// 1 - float32(0.999) is 0.00099999, 13 parts in a million less.
func oneMinus(beta float32) float32 {
	b, _ := strconv.ParseFloat(strconv.FormatFloat(float64(beta), 'g', -1, 32), 64)
	return float32(1 - b)
}

func adamWGo(p, g, m, v []float32, s asm.AdamWScalars) {
	for i, d := range g {
		d *= s.Grad
		m[i] = s.Beta1*m[i] + s.Rest1*d
		v[i] = s.Beta2*v[i] + s.Rest2*d*d
		den := float32(math.Sqrt(float64(v[i])))*s.Root + s.Eps
		p[i] = p[i]*s.Decay - s.Rate*m[i]/den
	}
}
