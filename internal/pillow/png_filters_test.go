package pillow

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestFilters: the vector code gives the bytes that the Go code gives, which follow the
// specification, at every length, and writes nothing behind.
func TestFilters(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this machine or build has no vector code")
	}
	rng := rand.New(rand.NewPCG(2, 9))
	for trial := range 4000 {
		size, kind, mask := 3+trial%2, byte(1+trial%4), byte(0xff)
		if trial%3 == 0 {
			mask = 0x81 // ties
		}
		row, above := make([]byte, 1+size*(1+rng.IntN(40))+1), []byte(nil)
		for range row {
			above = append(above, byte(rng.Uint32())&mask)
		}
		for i := range row {
			row[i] = byte(rng.Uint32()) & mask
		}
		row[0] = kind
		want := bytes.Clone(row)
		n := len(row) - 1
		if err := unfilter(row[:n], above[:n], size); err != nil {
			t.Fatal(err)
		}
		cur, up := want[1:n], above[1:n]
		switch kind {
		case 1:
			unfilterSub(cur, size)
		case 2:
			for i := range cur {
				cur[i] += up[i]
			}
		case 3:
			unfilterAverage(cur, up, size)
		case 4:
			unfilterPaeth(cur, up, size)
		}
		if !bytes.Equal(row, want) {
			t.Fatalf("filter %d of %d bytes a pixel: %v, want %v", kind, size, row, want)
		}
	}
}
