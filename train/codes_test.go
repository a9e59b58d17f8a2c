package train

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestNearestCodes: every code is its own nearest, and any number gets the code of least
// distance, but for a second moment that is not 0 and would become it.
func TestNearestCodes(t *testing.T) {
	for _, signed := range []bool{true, false} {
		table := newCodes8Bit(signed)
		for c, v := range table.values {
			if got := table.nearest(v, 1); int(got) != c {
				t.Errorf("signed %v: the nearest code of %g is %d, want %d", signed, v, got, c)
			}
		}
		dice := rand.New(rand.NewPCG(1, 1))
		for range 20000 {
			v := float32(math.Exp(-20 * dice.Float64()))
			if signed && dice.IntN(2) == 0 {
				v = -v
			}
			got, least := table.nearest(3*v, 3), math.Inf(1)
			for _, w := range table.values {
				if signed || w > 0 {
					least = min(least, math.Abs(float64(w)-float64(v)))
				}
			}
			if diff := math.Abs(float64(table.values[got]) - float64(v)); !(diff <= least+1e-7*math.Abs(float64(v))) {
				t.Fatalf("signed %v: %g gets the code of %g, want one at a distance of %g", signed, v, table.values[got], least)
			}
		}
		if got := table.nearest(0, 0); got != table.zero || table.values[got] != 0 {
			t.Errorf("0 of zeros has code %d of %g", got, table.values[got])
		}
	}
}
