package pillow

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestVideoVectors: the vector code of WebP's colours gives the Go code's values at every
// length, whatever the samples, and writes nothing beside them.
func TestVideoVectors(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this machine or build has no vector code")
	}
	rng := rand.New(rand.NewPCG(4, 7))
	const most = 100
	for n := range most {
		rows := new([3][]byte)
		for c := range rows {
			rows[c] = make([]byte, n)
			for i := range rows[c] {
				rows[c][i] = byte(rng.Uint32())
				if n%3 == 0 {
					rows[c][i] = byte(255 * rng.IntN(2))
				}
			}
		}
		got, want := bytes.Repeat([]byte{0xa5}, 4*most), bytes.Repeat([]byte{0xa5}, 4*most)
		videoRow(got[:4*n], rows[0], rows[1], rows[2])
		videoRowGo(want[:4*n], rows[0], rows[1], rows[2])
		if !bytes.Equal(got, want) {
			t.Fatalf("%d pixels: got %v, want %v", n, got, want)
		}
		if n == 0 {
			continue
		}
		quadRow(got[:2*n], rows[0], rows[1])
		copy(want, got[:1])
		copy(want[2*n-1:], got[2*n-1:2*n])
		quadGo(want[1:2*n-1], rows[0], rows[1])
		if !bytes.Equal(got, want) {
			t.Fatalf("twice %d samples: got %v, want %v", n, got, want)
		}
	}
}

// TestVideoColours: every luma with every chroma is as in the Go code.
func TestVideoColours(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this machine or build has no vector code")
	}
	luma, cb, cr := make([]byte, 256), make([]byte, 256), make([]byte, 256)
	for i := range luma {
		luma[i] = byte(i)
	}
	got, want := make([]byte, 4*256), make([]byte, 4*256)
	for c := range 1 << 16 {
		for i := range luma {
			cb[i], cr[i] = byte(c>>8), byte(c)
		}
		videoRow(got, luma, cb, cr)
		if videoRowGo(want, luma, cb, cr); !bytes.Equal(got, want) {
			t.Fatalf("chroma %d and %d: got %v, want %v", c>>8, c&255, got, want)
		}
	}
}
