//go:build amd64 && !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

// Packing in vectors of 8, or 6, as far as they go.

func copyRowsBy8(dst []float32, width int, src []float32, ld, rows, cols int) {
	whole := cols &^ 7
	if whole > 0 {
		asm.Copy8(dst, width, 8, src, ld, rows, whole/8)
	}
	if whole < cols {
		copyRowsGo(dst[whole:], width, src[whole:], ld, rows, cols-whole)
	}
}

// packColumnsBy6 is packColumnsGo for the panels of AVX2's tiles, 6 rows of A or 16
// columns of B.
func packColumnsBy6(dst []float32, cols, pitch int, src []float32, ld, m, k int) {
	packColumnsBy(dst, cols, pitch, src, ld, m, k, asm.Copy6, asm.Copy16)
}

// packColumnsBy8 is packColumnsGo for the panels of AVX-512's tiles, 8 rows of A or 48
// columns of B.
func packColumnsBy8(dst []float32, cols, pitch int, src []float32, ld, m, k int) {
	packColumnsBy(dst, cols, pitch, src, ld, m, k, asm.Copy8, asm.Copy48)
}

type copyVectors func(dst []float32, down, across int, src []float32, ld, rows, n int)

// askedRows are packed while as many are on their way from memory: they are too far apart for the core to
// foresee the next.
const askedRows = 16

func packColumnsBy(dst []float32, cols, pitch int, src []float32, ld, m, k int, a, b copyVectors) {
	panels := m / cols
	if panels > 0 {
		if cols > 8 {
			a = b
		}
		for p := 0; p < k; p += askedRows {
			rows := min(askedRows, k-p)
			Ask(src, (p+rows)*ld, ld, min(askedRows, k-p-rows), panels*cols)
			a(dst[p*cols:], cols, pitch, src[p*ld:], ld, rows, panels)
		}
	}
	if whole := panels * cols; whole < m {
		packColumnsGo(dst[panels*pitch:], cols, pitch, src[whole:], ld, m-whole, k)
	}
}

func transposeBy8(dst []float32, width int, src []float32, ld, rows, cols int) {
	if rows < 8 {
		transposeFew(dst, width, src, ld, rows, cols)
		return
	}
	whole := cols &^ 7
	if whole > 0 {
		for r := 0; r < rows; r += 8 {
			at := min(r, rows-8) // the last eight may overlap those before
			asm.Transpose8(dst[at:], width, src[at*ld:], ld, whole/8)
		}
	}
	if whole < cols {
		transposeGo(dst[whole*width:], width, src[whole:], ld, rows, cols-whole)
	}
}

// transposeFew is transposeBy8 for fewer than eight rows and a width of eight or
// more: it has rows of zeros below them.
func transposeFew(dst []float32, width int, src []float32, ld, rows, cols int) {
	var eight [8 * kBlock]float32
	for r := range rows {
		copy(eight[r*cols:(r+1)*cols], src[r*ld:])
	}
	transposeBy8(dst, width, eight[:], cols, 8, cols)
}
