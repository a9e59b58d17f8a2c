//go:build amd64 && !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

// widenFloat16F16C is that of F16C, which all processors with AVX2 have, but not all
// machines that are made of them.
func widenFloat16F16C() func(dst []float32, src []uint16) {
	if asm.CPUID(1)&(1<<29) == 0 {
		return widenFloat16Go
	}
	return widenFloat16By8
}
