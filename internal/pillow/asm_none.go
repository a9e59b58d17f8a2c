//go:build !amd64 || noasm

package pillow

const hasAVX2 = false

func alongAVX2(dst, src *uint8, at *span, weights *int32, n int) { panic("unreachable") }

func mixAVX2(dst *uint8, taps *[]uint8, weights *int32, n, n32 int) { panic("unreachable") }

func subAVX2(cur, up *uint8, n, size int) { panic("unreachable") }

func averageAVX2(cur, up *uint8, n, size int) { panic("unreachable") }

func paethAVX2(cur, up *uint8, n, size int) { panic("unreachable") }
