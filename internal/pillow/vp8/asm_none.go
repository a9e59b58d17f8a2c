//go:build !amd64 || noasm

package vp8

const hasAVX2, hasBMI2 = false, false

func smoothRowsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool) {
	panic("unreachable")
}

func smoothColumnsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool) {
	panic("unreachable")
}

func coefficientsBMI2(b *boolReader, probs *probabilities, p *[11]uint8, i int, steps *[2]int32, out *[16]int16) (at *[11]uint8, n, state int) {
	panic("unreachable")
}

func addAVX2(pix *uint8, stride int, in *[16]int16) { panic("unreachable") }
