package kernel

import (
	"math"
	"testing"
)

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
