//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"math"

	"github.com/goclip/goclip/internal/kernel/asm"
)

func quantizeRowBy32(dst []uint8, x []float32) float32 {
	whole := len(x) &^ 31
	var bits uint32
	if whole > 0 {
		bits = asm.LargestBits(&x[0], whole)
	}
	for _, v := range x[whole:] {
		bits = max(bits, math.Float32bits(v)&^(1<<31))
	}
	largest, inverse := rowScale(bits)
	if whole > 0 {
		asm.Quantize(&dst[0], &x[0], whole, inverse)
	}
	for i, v := range x[whole:] {
		dst[whole+i] = quantizedByte(v, inverse)
	}
	fillUp(dst, len(x))
	return largest / mostInput
}

// tiles computes the strip by tiles of nearly as many rows each.
func (w *integerWorker) tiles(set *asm.IntegerTileSet) {
	for q := 0; q < w.panels; q += set.Panels {
		panels, at := min(set.Panels, w.panels-q), q*panelCols
		_, _, _ = w.shift[at+panels*panelCols-1], w.scale[at+panels*panelCols-1], w.bias[at+panels*panelCols-1]
		_, _ = w.a[len(w.rows)*w.width-1], w.b[(q+panels)*panelCols*w.width-1]
		_ = w.c[(len(w.rows)-1)*w.ldc+at+panels*panelCols-1]
		count := blocks(len(w.rows), set.Rows)
		for i := 0; i < len(w.rows); {
			left := len(w.rows) - i
			rows := blocks(left, count)
			tiles := left - (rows-1)*count // the others have a row less
			w.args = asm.IntegerTile{
				Groups: w.width / 4, A: &w.a[i*w.width], Lda: w.width, B: &w.b[at*w.width], Shift: &w.shift[at], Scale: &w.scale[at],
				Bias: &w.bias[at], Rows: &w.rows[i], C: &w.c[i*w.ldc+at], Ldc: 4 * w.ldc, Tiles: tiles,
			}
			set.By[rows][panels](&w.args)
			i, count = i+tiles*rows, count-tiles
		}
	}
	w.args = asm.IntegerTile{}
}

func dequantizeBy8(c []float32, acc, shift []int32, scale, bias []float32, s float32) {
	whole := len(c) &^ 7
	if whole > 0 {
		_, _, _, _ = acc[whole-1], shift[whole-1], scale[whole-1], bias[whole-1]
		asm.Dequantize(&c[0], &scale[0], &bias[0], &acc[0], &shift[0], whole, s)
	}
	dequantizeGo(c[whole:], acc[whole:], shift[whole:], scale[whole:], bias[whole:], s)
}

func deviationBy32(x []uint8) int {
	whole, sum := len(x)&^31, 0
	if whole > 0 {
		sum = asm.Deviation(&x[0], whole)
	}
	return sum + deviationGo(x[whole:])
}
