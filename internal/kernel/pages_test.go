package kernel

import "testing"

// TestPaged: zeros, of any length, that can be written to the last.
func TestPaged(t *testing.T) {
	for _, n := range []int{0, 1, leastPaged/4 - 1, leastPaged / 4, 3<<20 + 7} {
		x := paged[float32](n)
		if len(x) != n || cap(x) != n {
			t.Fatalf("%d numbers with room for %d, want %d", len(x), cap(x), n)
		}
		for i, v := range x {
			if v != 0 {
				t.Fatalf("number %d of %d is %g, want 0", i, n, v)
			}
			x[i] = 1
		}
	}
}
