package vp8l

import (
	"math/rand/v2"
	"testing"
)

// TestLiterals: pixels are those of one symbol after another, and end where a code is none of
// a pixel or the data are short.
func TestLiterals(t *testing.T) {
	if !hasBMI2 {
		t.Skip("this machine or build has no other code")
	}
	rng := rand.New(rand.NewPCG(6, 1))
	long, ends := 0, 0
	for round := range 300 {
		var g group
		for i, made := range []*table{&g.green, &g.red, &g.blue, &g.alpha} {
			if err := made.build(randomSizes(rng, [2]int{literals, literals + lengths}[min(i, 1)^1]), true); err != nil {
				t.Fatal(err)
			}
			long += max(len(*made)-1<<rootBits, 0)
		}
		data := make([]byte, 40+rng.IntN(400))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		got, want := reader{data: data}, reader{data: data}
		got.fill()
		pix := make([]uint32, 1+rng.IntN(300))
		n := literalsBMI2(&got, &g, &pix[0], len(pix))
		for i, p := range pix[:n] {
			want.fill()
			v := want.symbol(g.green) << 8
			v |= want.symbol(g.red)<<16 | want.symbol(g.blue)
			want.fill()
			if v |= want.symbol(g.alpha) << 24; v != p {
				t.Fatalf("round %d: pixel %d of %d is %x, want %x", round, i, n, p, v)
			}
		}
		if gotAt, wantAt := 8*got.pos-int(got.n), 8*want.pos-int(want.n); gotAt != wantAt {
			t.Fatalf("round %d: %d pixels end at bit %d, want %d", round, n, gotAt, wantAt)
		}
		want.fill()
		if next := want.symbol(g.green); n < len(pix) && next < literals && got.pos+16 <= len(data) {
			t.Fatalf("round %d: ends at %d of %d pixels before the literal %d", round, n, len(pix), next)
		} else if next >= literals && n < len(pix) {
			ends++
		}
	}
	if long == 0 || ends == 0 {
		t.Errorf("%d entries of second tables, %d ends by another code, want some of both", long, ends)
	}
}

// randomSizes are lengths of a complete code of n symbols.
func randomSizes(rng *rand.Rand, n int) []uint8 {
	sizes := []uint8{1, 1}
	for len(sizes) < n {
		i := rng.IntN(len(sizes))
		if rng.IntN(3) == 0 {
			i = len(sizes) - 1
		}
		if sizes[i] < maxBits {
			sizes[i]++
			sizes = append(sizes, sizes[i])
		}
	}
	rng.Shuffle(n, func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
	return sizes
}
