//go:build amd64 && !noasm

package pillow

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

//go:noescape
func alongAVX2(dst, src *uint8, at *span, weights *int32, n int)

//go:noescape
func mixAVX2(dst *uint8, taps *[]uint8, weights *int32, n, n32 int)

//go:noescape
func subAVX2(cur, up *uint8, n, size int)

//go:noescape
func averageAVX2(cur, up *uint8, n, size int)

//go:noescape
func paethAVX2(cur, up *uint8, n, size int)

//go:noescape
func videoRowAVX2(dst, luma, cb, cr *uint8, n16 int)

//go:noescape
func quadAVX2(out, near, far *uint8, n16 int)

//go:noescape
func shuffleAVX2(dst, src *uint8, n8, size int, order, alpha *[16]uint8)
