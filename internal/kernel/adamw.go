package kernel

import "math"

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
	chunks(len(p), func(i, j int) { adamWGo(p[i:j], g[i:j], m[i:j], v[i:j], s) })
}

func adamWGo(p, g, m, v []float32, s AdamWStep) {
	decay := 1 - s.LR*s.WeightDecay
	rate := s.LR / s.Correction1
	root := float32(1 / math.Sqrt(float64(s.Correction2)))
	for i, d := range g {
		d *= s.GradScale
		m[i] = s.Beta1*m[i] + (1-s.Beta1)*d
		v[i] = s.Beta2*v[i] + (1-s.Beta2)*d*d
		den := float32(math.Sqrt(float64(v[i])))*root + s.Eps
		p[i] = p[i]*decay - rate*m[i]/den
	}
}
