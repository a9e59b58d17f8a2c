//go:build !amd64 || noasm

package jpeg

const hasAVX2, hasBMI2 = false, false

func blockBMI2(b *bitReader, c *component, out *[64]int16, k int) int { panic("unreachable") }

func inverseDCTAVX2(out *byte, stride int, block *[64]int16) { panic("unreachable") }

func inverseDCT4AVX2(out *byte, stride int, block *[64]int16) { panic("unreachable") }

func inverseDCT2AVX2(out *byte, stride int, block *[64]int16) { panic("unreachable") }

func multiplyAVX2(out, in *[64]int16, q *[64]uint16) { panic("unreachable") }

func convertRowAVX2(dst, luma, cb, cr *byte, n16 int) { panic("unreachable") }

func weaveAVX2(dst, a, b, c, d *byte, flip uint64, n16 int) { panic("unreachable") }

func mixBytesAVX2(sums *int16, row, other *byte, n16 int) { panic("unreachable") }

func doubleSumsAVX2(out *byte, sums *int16, even, odd int16, n16 int) { panic("unreachable") }
