package kernel

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

// TestThen: what comes next of a product finds every element complete, and each once,
// whichever way the product goes: on one goroutine, by columns, by rows.
func TestThen(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{1, 1, 0}, {1, 1, 1}, {3, 5, 7}, {50, 300, 600}, {197, 768, 64}, {1600, 50, 300}, {1700, 200, 500}} {
		m, n, k := s[0], s[1], s[2]
		x := randomMatrices(r, NT, m, n, k, 0)
		want := make([]float32, m*n)
		GemmBias(NT, m, n, k, x.a, x.lda, x.b, x.ldb, x.bias, want, n)
		for _, packed := range []bool{false, true} {
			if packed && k == 0 {
				continue
			}
			name := fmt.Sprintf("%v packed %t", s, packed)
			c, told := make([]float32, m*n), make([]atomic.Int32, m*n)
			then := func(row, rows, col, cols int) {
				for i := row; i < row+rows; i++ {
					for j := col; j < col+cols; j++ {
						told[i*n+j].Add(1)
						if c[i*n+j] != want[i*n+j] {
							t.Errorf("%s: element %d, %d is %g when it is told of, want %g", name, i, j, c[i*n+j], want[i*n+j])
						}
						c[i*n+j] = -c[i*n+j]
					}
				}
			}
			if packed {
				GemmPackedThen(m, 1, x.a, x.lda, Pack(NT, n, k, x.b, x.ldb), x.bias, 0, c, n, then)
			} else {
				GemmBiasThen(NT, m, n, k, x.a, x.lda, x.b, x.ldb, x.bias, c, n, then)
			}
			for i := range told {
				if got := told[i].Load(); got != 1 || c[i] != -want[i] {
					t.Fatalf("%s: element %d was told of %d times and is %g, want 1 and %g", name, i, got, c[i], -want[i])
				}
			}
		}
	}
}
