package vp8

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestSmoothVectors: the vector code of edges gives the Go code's samples, whatever they are
// and however strong the filter is, and writes nothing beside them.
func TestSmoothVectors(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this machine or build has no vector code")
	}
	rng := rand.New(rand.NewPCG(4, 7))
	const stride, rows = 27, 26
	d := &decoder{}
	changed := 0
	for i := range 50_000 {
		got := make([]byte, stride*rows)
		spread := 1 + rng.IntN(128)
		if i%5 == 0 {
			spread = 256
		}
		low := rng.IntN(257 - spread)
		for i := range got {
			got[i] = byte(low + rng.IntN(spread))
		}
		want := bytes.Clone(got)
		f := &deblocking{limit: int32(1 + rng.IntN(193)), inside: int32(1 + rng.IntN(63)), high: int32(rng.IntN(3))}
		inner := i&1 == 0
		across, along := 1, stride
		at, other := 4+stride, 4+10*stride
		if i&2 == 0 {
			across, along = stride, 1
			at, other = 4*stride+1, 4*stride+10
		}
		d.smooth(got, got, at, other, across, along, f, inner)
		before := bytes.Clone(want)
		smoothEdge(want, at, across, along, 8, f, inner)
		smoothEdge(want, other, across, along, 8, f, inner)
		if !bytes.Equal(got, want) {
			t.Fatalf("filter %+v, inner %v, across %d:\ngot %v\nwant %v\nof %v", *f, inner, across, got, want, before)
		}
		if !bytes.Equal(before, want) {
			changed++
		}
	}
	if changed < 12_500 {
		t.Errorf("%d edges were smoothed, want a quarter or more", changed)
	}
}
