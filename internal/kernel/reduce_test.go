package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestColumnsAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(6, 6))
		for _, rows := range []int{0, 1, 2, 63, 64, 65, 129, 1000} {
			for _, cols := range []int{0, 1, 7, 8, 9, 31, 32, 33, 63, 127, 128, 129, 200} {
				x, row := random(r, rows*cols), random(r, cols)
				src, dst := fenced(x, cols%16), fenced(make([]float32, cols), rows%16)
				for i := range dst.x {
					dst.x[i] = float32(math.NaN())
				}
				ColSum(dst.x, src.x, rows, cols)
				name := fmt.Sprintf("ColSum of %d×%d", rows, cols)
				dst.check(t, name)
				for j := range cols {
					var want, size float64
					for i := range rows {
						want += float64(x[i*cols+j])
						size += math.Abs(float64(x[i*cols+j]))
					}
					near(t, name, j, dst.x[j], want, float64(rowBlock+rows/rowBlock)*eps32*size)
				}
				AddRows(src.x, src.x, row, rows, cols)
				src.check(t, "AddRows")
				for i, v := range src.x {
					if want := x[i] + row[i%cols]; v != want {
						t.Fatalf("AddRows of %d×%d: element %d: got %v, want %v", rows, cols, i, v, want)
					}
				}
			}
		}
	})
}

func TestReductionsAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 7))
		for _, n := range append(lengths(), 5000, chunk, chunk+1, 3*chunk+5) {
			a, b := fenced(random(r, n), n%16), fenced(random(r, n), (n+7)%16) // guards are NaN: reading one shows
			var dot, size, squares float64
			for i, v := range a.x {
				dot += float64(v) * float64(b.x[i])
				size += math.Abs(float64(v) * float64(b.x[i]))
				squares += float64(v) * float64(v)
			}
			near(t, fmt.Sprintf("Dot of %d", n), 0, Dot(a.x, b.x), dot, float64(min(n, chunk)/lanesOfDot+8)*eps32*size)
			if got := SumSquares(a.x); !(math.Abs(got-squares) <= float64(n)*0x1p-53*squares) {
				t.Fatalf("SumSquares of %d: got %v, want %v", n, got, squares)
			}
		}
	})
}

const lanesOfDot = 32

// TestAllFinite puts what is not finite at every position.
func TestAllFinite(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range append(lengths(), chunk+40) {
			x := fenced(make([]float32, n), n%16).x
			for i := range x {
				x[i] = []float32{math.MaxFloat32, -math.MaxFloat32, 1e-45, 0}[i%4]
			}
			if !AllFinite(x) {
				t.Fatalf("AllFinite of %d finite elements = false", n)
			}
			for i := range x {
				if n > 200 && i%997 != 0 {
					continue
				}
				for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
					was := x[i]
					x[i] = bad
					if AllFinite(x) {
						t.Fatalf("AllFinite with %v at %d of %d = true", bad, i, n)
					}
					x[i] = was
				}
			}
		}
	})
}

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
