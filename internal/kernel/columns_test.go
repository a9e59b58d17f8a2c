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
