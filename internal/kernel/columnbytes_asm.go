//go:build (amd64 || arm64) && !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

func byteDotsBy4(first, second []int32, a []uint8, b []int8, width int) {
	byteDotsWith(asm.ByteDots, first, second, a, b, width)
}

// byteDotsWith has assembly do four rows at a time, as much of them as is whole steps.
func byteDotsWith(four func(first, second *int32, a *uint8, b *int8, lda, ldb, n int), first, second []int32, a []uint8, b []int8, width int) {
	rows, whole := len(first)&^3, width&^63
	if whole == 0 {
		rows = 0
	}
	_, _ = second[:len(first)], b[:2*width]
	for i := 0; i < rows; i += 4 {
		x := a[i*width:][:4*width]
		four(&first[i], &second[i], &x[0], &b[0], width, width, whole)
		for r := 0; r < 4 && whole < width; r++ {
			rest := x[r*width+whole : (r+1)*width]
			first[i+r] += byteDot(rest, b[whole:])
			second[i+r] += byteDot(rest, b[width+whole:])
		}
	}
	byteDotsGo(first[rows:], second[rows:], a[rows*width:], b, width)
}
