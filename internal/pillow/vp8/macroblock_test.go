package vp8

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestAddVectors: the vector code of transforms gives the Go code's samples, whatever the
// coefficients are, and writes nothing beside them.
func TestAddVectors(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this machine or build has no vector code")
	}
	rng := rand.New(rand.NewPCG(4, 7))
	const stride = 11
	for i := range 50_000 {
		p := &plane{pix: make([]byte, 6*stride), stride: stride}
		for i := range p.pix {
			p.pix[i] = byte(rng.Uint32())
		}
		d := &decoder{}
		count, bits := uint8(1+i%2), rng.IntN(17)
		in := &d.coefs[i%25]
		for k := range in {
			if k == 0 || count == 2 {
				in[k] = int16(rng.Uint32()) >> (16 - bits)
			}
		}
		block, want := *in, bytes.Clone(p.pix)
		d.add(p, stride+3, i%25, count)
		copied := block
		addGo(want[stride+3:], stride, &copied, count)
		if !bytes.Equal(p.pix, want) || *in != copied {
			t.Fatalf("transform of %v: got %v and %v left, want %v", block, p.pix, *in, want)
		}
	}
}
