//go:build !amd64 || noasm

package pillow

const hasAVX2 = false

func alongAVX2(dst, src *uint8, at *span, weights *int32, n int) { panic("unreachable") }

func mixAVX2(dst *uint8, taps *[]uint8, weights *int32, n, n32 int) { panic("unreachable") }

func subAVX2(cur, up *uint8, n, size int) { panic("unreachable") }

func averageAVX2(cur, up *uint8, n, size int) { panic("unreachable") }

func paethAVX2(cur, up *uint8, n, size int) { panic("unreachable") }

func videoRowAVX2(dst, luma, cb, cr *uint8, n16 int) { panic("unreachable") }

func quadAVX2(out, near, far *uint8, n16 int) { panic("unreachable") }

func shuffleAVX2(dst, src *uint8, n8, size int, order, alpha *[16]uint8) { panic("unreachable") }
