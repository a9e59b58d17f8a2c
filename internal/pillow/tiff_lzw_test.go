package pillow

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// TestLZWRuns: the text and the error are those of one code after another, whatever the codes.
func TestLZWRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 400 {
		codes := lzwCodes(rng, 1+rng.IntN(9000), round%4 == 0)
		var fast, slow lzwReader
		r, err := fast.begin(codes)
		if err != nil {
			t.Fatal(err)
		}
		got, gotErr := io.ReadAll(r)
		if _, err := slow.begin(codes); err != nil {
			t.Fatal(err)
		}
		var want []byte
		for slow.err = slow.next(); slow.err == nil; slow.err = slow.next() {
			n := slow.expand(slow.text[:], slow.last)
			want = append(want, slow.text[:n]...)
		}
		if !bytes.Equal(got, want) || gotErr != slow.err {
			t.Fatalf("round %d: %d bytes, %v, want %d, %v", round, len(got), gotErr, len(want), slow.err)
		}
	}
}

// lzwCodes writes n codes, of which those before the end are valid unless damaged; some are
// often taken again, so that strings become long.
func lzwCodes(rng *rand.Rand, n int, damaged bool) (data []byte) {
	acc, have := uint64(0), 0
	width, free := 9, -1
	for i := range n {
		c := rng.IntN(256)
		switch {
		case i == 0 || free >= lzwMost-1 || rng.IntN(5000) == 0:
			c = lzwClear
		case free > lzwFirst && rng.IntN(4) > 0:
			c = free - rng.IntN(min(free-lzwFirst, 3))
		}
		if damaged && rng.IntN(3000) == 0 {
			c = rng.IntN(1 << width)
		}
		acc, have = acc<<width|uint64(c), have+width
		for ; have >= 8; have -= 8 {
			data = append(data, byte(acc>>(have-8)))
		}
		switch {
		case c == lzwClear:
			width, free = 9, lzwFirst-1
		case free >= 0:
			if free++; free >= 1<<width-1 && width < 12 {
				width++
			}
		}
	}
	return append(data, byte(acc<<(8-have)))
}
