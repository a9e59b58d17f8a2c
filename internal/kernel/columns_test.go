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

// TestGemmTNSum: the product has the bits of Gemm and the sums those of ColSum, whichever way it
// goes: on one goroutine, with A in place, with A packed in strips of rows and of k.
func TestGemmTNSum(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 7))
		for _, s := range [][3]int{{1, 1, 0}, {3, 2, 1}, {40, 30, 65}, {130, 70, 700}, {200, 450, 600}, {1300, 400, 500}} {
			m, n, k := s[0], s[1], s[2]
			if ISA() == "go" && m > 1000 {
				continue
			}
			lda, ldb := m+3, n+1
			a, b := random(r, k*lda+m), random(r, k*ldb+n)
			want, got := make([]float32, m*n), make([]float32, m*n)
			Gemm(TN, m, n, k, 1, a, lda, b, ldb, 0, want, n)
			sum, tight := random(r, m), make([]float32, k*m)
			for i := range k {
				copy(tight[i*m:][:m], a[i*lda:])
			}
			GemmTNSum(m, n, k, a, lda, b, ldb, got, n, sum)
			wantSum := make([]float32, m)
			ColSum(wantSum, tight, k, m)
			name := fmt.Sprintf("GemmTNSum %v: ", s)
			sameBits(t, name+"product", got, want)
			sameBits(t, name+"sums", sum, wantSum)
		}
	})
}
