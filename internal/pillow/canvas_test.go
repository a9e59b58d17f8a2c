package pillow

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestUnpackColour: the vector code gives the pixels that the Go code gives, at every length,
// with and without bytes behind them, and writes nothing behind.
func TestUnpackColour(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for n := range 70 {
		for _, k := range [][5]int{{3, 0, 1, 2, -1}, {3, 2, 1, 0, -1}, {4, 2, 1, 0, -1}, {4, 3, 2, 1, 0}, {2, 0, 0, 0, 1}, {8, 0, 2, 4, 6}} {
			for more := range 20 {
				src := make([]byte, n*k[0]+more)
				for i := range src {
					src[i] = byte(rng.Uint32())
				}
				got, want := bytes.Repeat([]byte{0xa5}, 4*n+40), bytes.Repeat([]byte{0xa5}, 4*n+40)
				unpackColour(k[0], k[1], k[2], k[3], k[4])(got, src, n, 4)
				unpackBytewise(k[0], k[1], k[2], k[3], k[4])(want, src, n, 4)
				if !bytes.Equal(got, want) {
					t.Fatalf("%d pixels of %v: got %v, want %v", n, k, got, want)
				}
			}
		}
	}
}
