package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
	return x
}

func TestGemmAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, l := range []Layout{NN, NT, TN} {
		const m, n, k = 13, 29, 300
		a, b := random(r, m*k), random(r, k*n)
		lda, ldb := k, n
		if l == TN {
			lda = m
		}
		if l == NT {
			ldb = k
		}
		c := make([]float32, m*n)
		Gemm(l, m, n, k, 0.5, a, lda, b, ldb, 0, c, n)
		for i := range m {
			for j := range n {
				var want, size float64
				for p := range k {
					x, y := a[i*k+p], b[p*n+j]
					if l == TN {
						x = a[p*m+i]
					}
					if l == NT {
						y = b[j*k+p]
					}
					want += 0.5 * float64(x) * float64(y)
					size += math.Abs(float64(x) * float64(y))
				}
				tol := k * size / (1 << 24)
				if diff := math.Abs(float64(c[i*n+j]) - want); !(diff <= tol) {
					t.Fatalf("layout %d: c[%d,%d] = %v, want %v ± %v", l, i, j, c[i*n+j], want, tol)
				}
			}
		}
	}
}
