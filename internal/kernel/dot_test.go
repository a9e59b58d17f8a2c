package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

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
