package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAdamWAgainstFloat64 follows torch.optim.AdamW's formulas in float64.
func TestAdamWAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(8, 8))
		for _, n := range append(lengths(), chunk+3) {
			p, g, m, v := fenced(random(r, n), n%16), fenced(random(r, n), (n+1)%16), fenced(random(r, n), (n+2)%16), fenced(random(r, n), (n+3)%16)
			for i := range v.x {
				v.x[i] *= v.x[i]
			}
			p0, m0, v0 := append([]float32(nil), p.x...), append([]float32(nil), m.x...), append([]float32(nil), v.x...)
			s := AdamWStep{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, LR: 1e-3, WeightDecay: 0.1, Correction1: 1 - 0.9*0.9, Correction2: 1 - 0.999*0.999, GradScale: 0.5}
			AdamW(p.x, g.x, m.x, v.x, s)
			name := fmt.Sprintf("AdamW of %d", n)
			for _, f := range []*fence{p, g, m, v} {
				f.check(t, name)
			}
			for i := range n {
				d := 0.5 * float64(g.x[i])
				wm := 0.9*float64(m0[i]) + 0.1*d
				wv := 0.999*float64(v0[i]) + 0.001*d*d
				step := 1e-3 / (1 - 0.81) * wm / (math.Sqrt(wv)/math.Sqrt(1-0.998001) + 1e-8)
				wp := float64(p0[i])*(1-1e-4) - step
				near(t, name+": m", i, m.x[i], wm, 3*eps32*(math.Abs(float64(m0[i]))+math.Abs(d)))
				near(t, name+": v", i, v.x[i], wv, 5*eps32*wv)
				near(t, name+": p", i, p.x[i], wp, 3*eps32*math.Abs(float64(p0[i]))+math.Abs(step)*24*eps32*(1+math.Abs(float64(m0[i])/wm)))
			}
		}
	})
}

// TestAdamWSpecials: a NaN gradient shows in its parameter alone.
func TestAdamWSpecials(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for n := 1; n < 40; n++ {
			for at := range n {
				p, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
				g[at] = float32(math.NaN())
				AdamW(p, g, m, v, AdamWStep{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, LR: 1, Correction1: 1, Correction2: 1, GradScale: 1})
				for i := range p {
					if nan := p[i] != p[i]; nan != (i == at) {
						t.Fatalf("NaN at %d of %d: p[%d] = %v", at, n, i, p[i])
					}
				}
			}
		}
	})
}

// TestAdamWIdle: runs whose gradients have all been zero are left out to the bits of [AdamW], and
// computed from the first step on in which one is not, with or without decay and eps.
func TestAdamWIdle(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range []int{1, IdleRun, IdleRun + 1, chunk + 3*IdleRun + 7} {
			for _, s := range []AdamWStep{
				{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, LR: 1e-3, WeightDecay: 0.2, Correction1: 0.1, Correction2: 0.02, GradScale: 0.7},
				{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, LR: 1e-3, Correction1: 0.1, Correction2: 0.02, GradScale: 1},
				{Beta1: 0.9, Beta2: 0.98, LR: 1e-3, WeightDecay: 0.2, Correction1: 0.1, Correction2: 0.02, GradScale: 1},
			} {
				r := rand.New(rand.NewPCG(4, uint64(n)))
				p, m, v := random(r, n), make([]float32, n), make([]float32, n)
				wp, wm, wv := slices.Clone(p), slices.Clone(m), slices.Clone(v)
				idle := make([]bool, blocks(n, IdleRun))
				for i := range idle {
					idle[i] = true
				}
				for step := range 4 {
					g := make([]float32, n)
					for i := range g {
						if (i/IdleRun+step)%5 == 0 && i%IdleRun == 3 {
							g[i] = float32(r.NormFloat64()) * 1e-30
						}
					}
					AdamWIdle(p, g, m, v, idle, s)
					AdamW(wp, g, wm, wv, s)
					for i := range p {
						if got, want := [3]float32{p[i], m[i], v[i]}, [3]float32{wp[i], wm[i], wv[i]}; got != want && wp[i] == wp[i] {
							t.Fatalf("step %d of %+v, number %d of %d: %v, want %v", step, s, i, n, got, want)
						}
					}
				}
			}
		}
	})
}
