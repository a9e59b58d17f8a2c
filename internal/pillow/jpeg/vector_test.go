package jpeg

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestVectors: the vector code of rows and blocks gives the Go code's values at every
// length, whatever the samples, and writes nothing beside them.
func TestVectors(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this machine or build has no vector code")
	}
	rng := rand.New(rand.NewPCG(4, 7))
	const most = 70
	for n := range most {
		rows := new([4][]byte)
		for c := range rows {
			rows[c] = make([]byte, n, n+1)
			for i := range rows[c] {
				rows[c][i] = byte(rng.Uint32())
				if n%3 == 0 {
					rows[c][i] = byte(255 * rng.IntN(2))
				}
			}
		}
		if got, want := make([]int16, most), make([]int16, most); n > 0 {
			mixBytes(got[:n], rows[0], rows[1])
			mixBytesGo(want[:n], rows[0], rows[1])
			if !slices.Equal(got, want) {
				t.Fatalf("3:1 of %d samples: got %v, want %v", n, got, want)
			}
		}
		sums := make([]int16, n+2)
		for i := range sums {
			sums[i] = int16(rng.IntN(4*255 + 1))
		}
		for _, bias := range [][2]int16{{8, 7}, {4, 8}} {
			got, want := bytes.Repeat([]byte{0xa5}, 2*most), bytes.Repeat([]byte{0xa5}, 2*most)
			doubleSums(got[:2*n], sums, bias[0], bias[1])
			doubleSumsGo(want[:2*n], sums, bias[0], bias[1])
			if !bytes.Equal(got, want) {
				t.Fatalf("twice %d sums, biases %v: got %v, want %v", n, bias, got, want)
			}
		}
		for _, flip := range []byte{0, 255} {
			got, want := bytes.Repeat([]byte{0xa5}, 4*most), bytes.Repeat([]byte{0xa5}, 4*most)
			weave(got[:4*n], rows, flip)
			weaveGo(want[:4*n], rows, flip, 0)
			if !bytes.Equal(got, want) {
				t.Fatalf("%d pixels of four rows: got %v, want %v", n, got, want)
			}
		}
		var in, got, want [64]int16
		var q [64]uint16
		for i := range in {
			in[i], q[i] = int16(rng.Uint32()), uint16(rng.Uint32())
		}
		multiply(&got, &in, &q)
		if multiplyGo(&want, &in, &q); got != want {
			t.Fatalf("products: got %v, want %v", got, want)
		}
	}
}
