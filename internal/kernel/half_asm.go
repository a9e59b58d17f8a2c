//go:build (amd64 || arm64) && !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

func widenFloat16By8(dst []float32, src []uint16) {
	whole := len(src) &^ 7
	if whole > 0 {
		_ = dst[whole-1]
		asm.WidenFloat16(&dst[0], &src[0], whole)
	}
	widenFloat16Go(dst[whole:], src[whole:])
}

func widenBFloat16By8(dst []float32, src []uint16) {
	whole := len(src) &^ 7
	if whole > 0 {
		_ = dst[whole-1]
		asm.WidenBFloat16(&dst[0], &src[0], whole)
	}
	widenBFloat16Go(dst[whole:], src[whole:])
}
