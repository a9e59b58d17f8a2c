//go:build amd64 && !noasm

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// byteDotsAVX512 is that of VNNI, where this machine multiplies bytes.
func byteDotsAVX512() func(first, second []int32, a []uint8, b []int8, width int) {
	if cpu.X86.HasAVX512VNNI {
		return byteDotsVNNI
	}
	return byteDotsBy4
}

func byteDotsVNNI(first, second []int32, a []uint8, b []int8, width int) {
	byteDotsWith(asm.ByteDotsVNNI, first, second, a, b, width)
}
