//go:build amd64 && !noasm

package jpeg

import "golang.org/x/sys/cpu"

var (
	hasAVX2 = cpu.X86.HasAVX2
	hasBMI2 = hasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2
)

//go:noescape
func blockBMI2(b *bitReader, c *component, out *[64]int16, k int) int

//go:noescape
func inverseDCTAVX2(out *byte, stride int, block *[64]int16)

//go:noescape
func inverseDCT4AVX2(out *byte, stride int, block *[64]int16)

//go:noescape
func inverseDCT2AVX2(out *byte, stride int, block *[64]int16)

//go:noescape
func multiplyAVX2(out, in *[64]int16, q *[64]uint16)

//go:noescape
func convertRowAVX2(dst, luma, cb, cr *byte, n16 int)

//go:noescape
func weaveAVX2(dst, a, b, c, d *byte, flip uint64, n16 int)

//go:noescape
func mixBytesAVX2(sums *int16, row, other *byte, n16 int)

//go:noescape
func doubleSumsAVX2(out *byte, sums *int16, even, odd int16, n16 int)
