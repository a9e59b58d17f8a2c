//go:build amd64 && !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

func dotsBy3(dst, queries, rows []float32, dim, n int) (done int) {
	if len(queries) < 3*dim {
		asm.Dots1(dst, queries, rows, dim, n, n)
		return 1
	}
	asm.Dots3(dst, queries, rows, dim, n, n)
	return 3
}

func dotsBy6(dst, queries, rows []float32, dim, n int) (done int) {
	if len(queries) < 6*dim {
		return dotsBy3(dst, queries, rows, dim, n)
	}
	asm.Dots6AVX512(dst, queries, rows, dim, n, n)
	return 6
}
