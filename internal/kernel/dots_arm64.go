//go:build !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

// dotsByDot does one query, the sums of which take half of the registers.
func dotsByDot(dst, queries, rows []float32, dim, n int) (done int) {
	for j := range n {
		dst[j] = asm.Dot(queries[:dim], rows[j*dim:][:dim])
	}
	return 1
}
