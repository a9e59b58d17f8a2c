package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestGemmSerialTriangle: what is wanted of C has the bits of the whole product; C held no numbers before.
func TestGemmSerialTriangle(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		nan := float32(math.NaN())
		for _, size := range [][3]int{{1, 1, 1}, {16, 16, 16}, {77, 77, 64}, {77, 64, 77}, {77, 40, 50}, {300, 70, 300}, {290, 400, 270}, {520, 30, 530}, {49, 97, 80}} {
			for _, tri := range []Triangle{LowerC, LowerA, UpperA} {
				for _, l := range []Layout{NN, NT, TN} {
					m, n, k := size[0], size[1], size[2]
					if tri == UpperA {
						m = min(m, k)
					}
					t.Run(fmt.Sprintf("%d-%d-%dx%dx%d", tri, l, m, n, k), func(t *testing.T) { triangle(t, tri, l, m, n, k, nan, random) })
				}
			}
		}
	})
}

func triangle(t *testing.T, tri Triangle, l Layout, m, n, k int, nan float32, random *rand.Rand) {
	needed := func(i, kk int) bool { return tri == LowerC || tri == LowerA && kk <= i || tri == UpperA && kk >= i }
	a, lda := make([]float32, m*k), k
	at := func(i, kk int) *float32 { return &a[i*k+kk] }
	if l == TN {
		lda, at = m, func(i, kk int) *float32 { return &a[kk*m+i] }
	}
	for i := range m {
		for kk := range k {
			if needed(i, kk) {
				*at(i, kk) = random.Float32() - 0.5
			}
		}
	}
	b, ldb := make([]float32, k*n), n
	if l == NT {
		ldb = k
	}
	for i := range b {
		b[i] = random.Float32() - 0.5
	}
	want, got := make([]float32, m*n), make([]float32, m*n)
	GemmSerial(l, m, n, k, 0.7, a, lda, b, ldb, 0, want, n)
	for i := range got {
		got[i] = nan
	}
	GemmSerialTriangle(tri, l, m, n, k, 0.7, a, lda, b, ldb, got, n)
	for i := range m {
		for j := range n {
			if (tri != LowerC || j <= i) && math.Float32bits(got[i*n+j]) != math.Float32bits(want[i*n+j]) {
				t.Fatalf("row %d, column %d: %v, want %v", i, j, got[i*n+j], want[i*n+j])
			}
		}
	}
}

func TestUpperTriangle(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("more rows than columns are taken")
		}
	}()
	GemmSerialTriangle(UpperA, NN, 3, 1, 2, 1, make([]float32, 6), 2, make([]float32, 2), 1, make([]float32, 3), 1)
}
