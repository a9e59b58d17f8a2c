//go:build amd64 && !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

// softmaxPassesAVX512 is softmaxPasses with wider exponentials.
func softmaxPassesAVX512(dst, x []float32) {
	if len(x) > chunk {
		softmaxPieces(dst, x, asm.ExpSumAVX512)
		return
	}
	asm.Scale(dst, 1/asm.ExpSumAVX512(dst, x, asm.Max(x)))
}
