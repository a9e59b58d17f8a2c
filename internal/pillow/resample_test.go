package pillow

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestVectorCode: the assembly gives the Go code's bytes at every length,
// reads only what it may and writes nothing beside.
func TestVectorCode(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this machine or build has no vector code")
	}
	rng := rand.New(rand.NewPCG(1, 9))
	noise := func(n int) []uint8 {
		b := make([]uint8, n)
		for i := range b {
			b[i] = uint8(rng.Uint32())
		}
		return b
	}
	weight := func() int32 { return int32(rng.IntN(5<<20)) - 1<<20 }
	for trial := range 3000 {
		width := 1 + rng.IntN(40)
		src := noise(4 * (width + 1))
		var s spans
		for range 1 + trial%30 {
			from := rng.IntN(width)
			pairs := 1 + rng.IntN((width+1-from+1)/2)
			if from+2*pairs > width+1 {
				pairs--
			}
			if pairs == 0 {
				continue
			}
			s.at = append(s.at, span{int32(from), int32(pairs)})
			for range 2 * pairs {
				w := weight() / int32(pairs)
				s.weights = append(s.weights, w, w, w, w)
			}
		}
		if len(s.at) == 0 {
			continue
		}
		n := 4 * len(s.at)
		got, want := bytes.Repeat([]uint8{0xa5}, n+32), bytes.Repeat([]uint8{0xa5}, n+32)
		s.alongGo(want, src)
		alongAVX2(&got[0], &src[0], &s.at[0], &s.weights[0], len(s.at))
		if !bytes.Equal(got, want) {
			t.Fatalf("along %v: got %v, want %v", s.at, got, want)
		}
	}
	for trial := range 300 {
		n := mixStep * (1 + trial%9)
		var taps [][]uint8
		var weights []int32
		for range 1 + rng.IntN(12) {
			taps = append(taps, noise(n))
			weights = append(weights, weight()/3)
		}
		got, want := bytes.Repeat([]uint8{0xa5}, n+32), bytes.Repeat([]uint8{0xa5}, n+32)
		mixGo(want[:n], taps, weights)
		mixAVX2(&got[0], &taps[0], &weights[0], len(taps), n/mixStep)
		if !bytes.Equal(got, want) {
			t.Fatalf("mix of %d taps: got %v, want %v", len(taps), got, want)
		}
	}
}
