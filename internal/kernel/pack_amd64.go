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

// packColumnsBy8 is packColumnsGo for panels of 8.
func packColumnsBy8(dst []float32, rows int, src []float32, ld, m, k int) {
	whole := m &^ 7
	if whole > 0 {
		asm.Copy8(dst, 8, 8*k, src, ld, k, whole/8)
	}
	if whole < m {
		packColumnsGo(dst[whole*k:], rows, src[whole:], ld, m-whole, k)
	}
}

// packColumnsBy6 is packColumnsGo for panels of 6.
func packColumnsBy6(dst []float32, rows int, src []float32, ld, m, k int) {
	whole := m / 6 * 6
	if whole > 0 {
		asm.Copy6(dst, 6, 6*k, src, ld, k, whole/6)
	}
	if whole < m {
		packColumnsGo(dst[whole*k:], rows, src[whole:], ld, m-whole, k)
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
