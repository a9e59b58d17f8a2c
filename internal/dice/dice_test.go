package dice

import (
	"fmt"
	"slices"
	"testing"
)

// TestDrawsStay: what was once drawn is drawn for ever, since sets and runs that
// people keep follow from it.
func TestDrawsStay(t *testing.T) {
	for use, want := range map[Use]string{
		Noise:   "13807456532203987146 513 -6 false 0.33536904212087393 1.1901565110310912 [7 3 0 2 1 5 4 6]",
		Train:   "14111843862218199474 886 -2 false 0.17677521356381476 -0.4857235240051523 [5 7 4 6 2 1 3 0]",
		Order:   "12874374662720965334 768 0 false 0.7164261895231903 1.262043196358718 [5 3 6 7 0 2 1 4]",
		Couples: "5278350881897346351 79 5 true 0.7607243817765266 1.52939705864992 [5 1 3 7 4 0 2 6]",
	} {
		d := New(7, use, 3)
		got := fmt.Sprint(d.Uint64(), d.Below(1000), d.Between(-6, 6), d.Chance(1, 3), d.Unit(), d.Span(-0.5, 2), d.Permutation(8))
		if got != want {
			t.Errorf("use %d: got %s, want %s", use, got, want)
		}
	}
}

func TestPermutationHasEach(t *testing.T) {
	for n := range 40 {
		d := New(1, Order, uint64(n))
		perm := d.Permutation(n)
		slices.Sort(perm)
		for i, v := range perm {
			if int(v) != i {
				t.Fatalf("%d things: sorted, number %d is %d", n, i, v)
			}
		}
	}
}
