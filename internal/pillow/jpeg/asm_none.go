//go:build !amd64 || noasm

package jpeg

const hasAVX2 = false

func inverseDCTAVX2(out *byte, stride int, block *[64]int16) { panic("unreachable") }

func convertRowAVX2(dst, luma, cb, cr *byte, n8 int) { panic("unreachable") }
