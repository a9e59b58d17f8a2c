package kernel

import (
	"math"
	"strconv"
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
	x := adamWScalars{
		beta1: s.Beta1, rest1: oneMinus(s.Beta1),
		beta2: s.Beta2, rest2: oneMinus(s.Beta2),
		rate:  s.LR / s.Correction1,
		root:  float32(1 / math.Sqrt(float64(s.Correction2))),
		eps:   s.Eps,
		decay: 1 - float32(s.LR*s.WeightDecay), // not fused: the same on every machine
		grad:  s.GradScale,
	}
	chunks(len(p), func(i, j int) {
		if isa != portable {
			adamWVec(&p[i], &g[i], &m[i], &v[i], j-i, x.beta1, x.rest1, x.beta2, x.rest2, x.rate, x.root, x.eps, x.decay, x.grad)
		} else {
			adamWGo(p[i:j], g[i:j], m[i:j], v[i:j], x)
		}
	})
}

type adamWScalars struct {
	beta1, rest1, beta2, rest2, rate, root, eps, decay, grad float32
}

// oneMinus returns 1-β for the β that was written down: 0.001 for 0.999, where
// 1 - float32(0.999) is 0.00099999, 13 parts in a million less.
func oneMinus(beta float32) float32 {
	b, _ := strconv.ParseFloat(strconv.FormatFloat(float64(beta), 'g', -1, 32), 64)
	return float32(1 - b)
}

func adamWGo(p, g, m, v []float32, s adamWScalars) {
	for i, d := range g {
		d *= s.grad
		m[i] = s.beta1*m[i] + s.rest1*d
		v[i] = s.beta2*v[i] + s.rest2*d*d
		den := float32(math.Sqrt(float64(v[i])))*s.root + s.eps
		p[i] = p[i]*s.decay - s.rate*m[i]/den
	}
}
