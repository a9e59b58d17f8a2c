//go:build arm64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

// byteDotsNEON is that of SDOT, where this machine has it.
func byteDotsNEON() func(first, second []int32, a []uint8, b []int8, width int) {
	if cpu.ARM64.HasASIMDDP {
		return byteDotsBy4
	}
	return byteDotsGo
}
