//go:build amd64 && !noasm

package jpeg

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

//go:noescape
func inverseDCTAVX2(out *byte, stride int, block *[64]int16)

//go:noescape
func convertRowAVX2(dst, luma, cb, cr *byte, n8 int)
