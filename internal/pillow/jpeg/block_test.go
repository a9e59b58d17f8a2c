package jpeg

import (
	"math/rand/v2"
	"testing"
)

// TestBlocks: blocks are those of the Go code, whatever the codes and the data, up to the end
// of the data and behind it.
func TestBlocks(t *testing.T) {
	if !hasBMI2 {
		t.Skip("this machine or build has no other code")
	}
	rng := rand.New(rand.NewPCG(8, 8))
	for round := range 2000 {
		data := make([]byte, rng.IntN(600))
		for i := range data {
			data[i] = byte(rng.Uint32())
			if rng.IntN(1+round%20) == 0 {
				data[i] = 255
			}
		}
		for i := range len(data) - 1 {
			if data[i] == 255 && rng.IntN(100) > round%3 {
				data[i+1] = 0
			}
		}
		c := component{dc: randomHuffman(t, rng, 15), ac: randomHuffman(t, rng, 255)}
		if round%2 == 0 {
			c.dc, c.ac = standardTable(standardDC[0], "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"), standardTable(standardAC[0].counts, standardAC[0].symbols)
		}
		c.ac.pair()
		for i := range c.steps {
			c.steps[i] = int32(rng.IntN(1 << (1 + round%16)))
		}
		gotC, wantC := c, c
		got, want := bitReader{data: data}, bitReader{data: data}
		for i := 0; i < 200 && !want.missed() && want.n >= 0; i++ {
			var gotOut, wantOut [64]int16
			gotFlat, wantFlat := got.block(&gotC, &gotOut), want.blockGo(&wantC, &wantOut, 0)
			if gotOut != wantOut || gotFlat != wantFlat || gotC.pred != wantC.pred || got.missed() != want.missed() || got.n < 0 != (want.n < 0) {
				t.Fatalf("round %d, block %d: got %v, flat %v, level %d, missed %v, %d bits; want %v, %v, %d, %v, %d",
					round, i, gotOut, gotFlat, gotC.pred, got.missed(), got.n, wantOut, wantFlat, wantC.pred, want.missed(), want.n)
			}
		}
		if got.marker != want.marker || got.marker != 0 && got.pos != want.pos {
			t.Fatalf("round %d: marker %#x at %d, want %#x at %d", round, got.marker, got.pos, want.marker, want.pos)
		}
	}
}

// randomHuffman is a table of random codes for symbols up to a largest one.
func randomHuffman(t *testing.T, rng *rand.Rand, largest int) *huffman {
	counts := make([]byte, 16)
	var symbols []byte
	for n, free := 1, 2; n <= 16 && len(symbols) < 200; n, free = n+1, 2*free {
		c := rng.IntN(1 + min(free, 40)*n/16)
		counts[n-1] = byte(c)
		free -= c
		for range c {
			symbols = append(symbols, byte(rng.IntN(largest+1)))
		}
	}
	h, err := newHuffman(counts, symbols)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
