//go:build amd64 && !noasm

package vp8

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

//go:noescape
func smoothRowsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool)

//go:noescape
func smoothColumnsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool)

// hasBMI2 is about LZCNT, too: without it the instruction is another one, which finds a 0 here.
var hasBMI2 = cpu.X86.HasBMI1 && cpu.X86.HasBMI2 && leadingZeroes(1) == 31

//go:noescape
func coefficientsBMI2(b *boolReader, probs *probabilities, p *[11]uint8, i int, steps *[2]int32, out *[16]int16) (at *[11]uint8, n, state int)

//go:noescape
func leadingZeroes(v uint32) int

//go:noescape
func addAVX2(pix *uint8, stride int, in *[16]int16)
