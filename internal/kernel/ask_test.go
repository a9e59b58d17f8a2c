package kernel

import "testing"

// TestAsk: rows that lie beyond what there is, of any length, are left out, and nothing is changed.
func TestAsk(t *testing.T) {
	x := make([]float32, 1000)
	for i := range x {
		x[i] = float32(i)
	}
	for _, at := range []int{-1, 0, 1, 990, 999, 1000, 1 << 30} {
		for _, ld := range []int{-1, 0, 1, 16, 300, 1 << 30} {
			for _, rows := range []int{-1, 0, 1, 7, 1000} {
				for _, n := range []int{-1, 0, 1, 16, 17, 1000, 1001} {
					Ask(x, at, ld, rows, n)
				}
			}
		}
	}
	Ask(nil, 0, 1, 1, 1)
	for i, v := range x {
		if v != float32(i) {
			t.Fatalf("number %d is %g", i, v)
		}
	}
}
