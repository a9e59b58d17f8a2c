package vp8

import (
	"math/rand/v2"
	"testing"
)

// TestBlockVectors: the assembly reads the Go code's coefficients and leaves its reader's
// state, whatever the data and the probabilities, to the data's end.
func TestBlockVectors(t *testing.T) {
	if !hasBMI2 {
		t.Skip("this machine or build has no assembly for it")
	}
	rng := rand.New(rand.NewPCG(4, 7))
	var large, blocks int
	for range 500 {
		data := make([]byte, rng.IntN(600))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		var probs probabilities
		low := rng.IntN(256)
		for i := range probs {
			for j := range probs[i] {
				for k := range probs[i][j] {
					probs[i][j][k] = byte(low + rng.IntN(256-low))
				}
			}
		}
		steps := [2]int32{rng.Int32N(158), rng.Int32N(285)}
		a, b := newBoolReader(data), newBoolReader(data)
		for !b.eof {
			context, first := rng.IntN(3), rng.IntN(2)
			var got, want [16]int16
			n, m := a.block(&probs, context, first, &steps, &got), b.blockGo(&probs, context, first, &steps, &want)
			if got != want || n != m {
				t.Fatalf("%d coefficients %v, want %d, %v", n, got, m, want)
			}
			unknown := 56 - min(a.n, b.n, 0)
			if a.eof != b.eof || a.rng != b.rng || a.value>>unknown != b.value>>unknown || !a.eof && 8*a.pos-a.n != 8*b.pos-b.n {
				a.data, b.data = nil, nil
				t.Fatalf("behind a block: reader %+v, want %+v", *a, *b)
			}
			blocks++
			for _, v := range want {
				if v > 10*int16(steps[1]) {
					large++
				}
			}
		}
	}
	if large < 1000 || blocks < 10_000 {
		t.Errorf("%d blocks and %d large coefficients, want more", blocks, large)
	}
}
