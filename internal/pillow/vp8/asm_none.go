//go:build !amd64 || noasm

package vp8

const hasAVX2 = false

func smoothRowsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool) {
	panic("unreachable")
}

func smoothColumnsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool) {
	panic("unreachable")
}
