package kernel

import (
	"fmt"
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
	x := s.scalars()
	chunks(len(p), func(i, j int) { isa.adamW(p[i:j], g[i:j], m[i:j], v[i:j], x) })
}

// IdleRun is how many parameters [AdamWIdle] looks at together.
const IdleRun = 512

// AdamWIdle is [AdamW] where many gradients have been zero in all steps, such as those of words that no
// caption has had. idle, one for each run of [IdleRun] parameters, says that their moments are zeros,
// which are then neither read nor written: what is left of the step is the decay. It is made false
// where a gradient is not zero.
func AdamWIdle(p, g, m, v []float32, idle []bool, s AdamWStep) {
	checkLen("g", g, len(p))
	checkLen("m", m, len(p))
	checkLen("v", v, len(p))
	if len(idle) != blocks(len(p), IdleRun) {
		panic(fmt.Sprintf("kernel: idle has %d runs, want %d", len(idle), blocks(len(p), IdleRun)))
	}
	x := s.scalars()
	chunks(len(p), func(i, j int) {
		for i < j {
			run, to := i/IdleRun, min(i+IdleRun, j)
			if idle[run] = idle[run] && x.Eps > 0 && isa.sumSquares(g[i:to]) == 0; idle[run] {
				if x.Decay != 1 {
					isa.scale(p[i:to], x.Decay)
				}
			} else {
				for to < j && !idle[to/IdleRun] {
					to = min(to+IdleRun, j)
				}
				isa.adamW(p[i:to], g[i:to], m[i:to], v[i:to], x)
			}
			i = to
		}
	})
}

func scaleGo(dst []float32, by float32) {
	for i := range dst {
		dst[i] *= by
	}
}

func (s AdamWStep) scalars() asm.AdamWScalars {
	return asm.AdamWScalars{
		Beta1: s.Beta1, Rest1: oneMinus(s.Beta1),
		Beta2: s.Beta2, Rest2: oneMinus(s.Beta2),
		Rate:  s.LR / s.Correction1,
		Root:  float32(1 / math.Sqrt(float64(s.Correction2))),
		Eps:   s.Eps,
		Decay: 1 - float32(s.LR*s.WeightDecay), // not fused: the same on every machine
		Grad:  s.GradScale,
	}
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
