package kernel

import (
	"math"
	"sync/atomic"

	"github.com/goclip/goclip/internal/parallel"
)

// rowBlock is the number of rows that are added up before their sum joins the
// total, so that the error grows with rowBlock + rows/rowBlock, not with rows.
const rowBlock = 64

// columnStrip is the number of columns that a task adds up.
const columnStrip = 128

// ColSum computes dst[j] = Σ_i x[i,j] for an x of (rows, cols). Rows are added in
// ascending order, in blocks.
func ColSum(dst, x []float32, rows, cols int) {
	checkLen("dst", dst, cols)
	checkRows("x", x, rows, cols)
	strips(cols, func(j0, j1 int) {
		clear(dst[j0:j1])
		for i := 0; i < rows; i += rowBlock {
			addColumns(dst[j0:j1], x[i*cols+j0:], min(rowBlock, rows-i), cols)
		}
	})
}

// strips calls f with consecutive ranges of columns, in parallel.
func strips(cols int, f func(j0, j1 int)) {
	parallel.For(blocks(cols, columnStrip), func(s int) {
		f(s*columnStrip, min(cols, s*columnStrip+columnStrip))
	})
}

// addColumns computes dst[j] += Σ_i x[i·ld+j] over a block of rows.
func addColumns(dst, x []float32, rows, ld int) {
	if isa != portable {
		addColumnsVec(&dst[0], &x[0], len(dst), rows, ld)
	} else {
		addColumnsGo(dst, x, rows, ld)
	}
}

func addColumnsGo(dst, x []float32, rows, ld int) {
	for j := range dst {
		var sum float32
		for i := range rows {
			sum += x[i*ld+j]
		}
		dst[j] += sum
	}
}

// Dot returns Σ a·b: 32 partial sums, joined after every 16,384 elements in
// float64.
func Dot(a, b []float32) float32 {
	checkLen("b", b, len(a))
	var sum float64
	pieces(len(a), func(i, j int) { sum += float64(dot(a[i:j], b[i:j])) })
	return float32(sum)
}

// dot is Dot on at most a chunk.
func dot(a, b []float32) float32 {
	if isa != portable {
		return dotVec(&a[0], &b[0], len(a))
	}
	return dotGo(a, b)
}

func dotGo(a, b []float32) float32 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return float32(sum)
}

// SumSquares returns Σ x², in float64 throughout, in an order that depends on
// len(x) alone.
func SumSquares(x []float32) float64 {
	parts := make([]float64, blocks(len(x), chunk))
	chunks(len(x), func(i, j int) {
		if isa >= avx2 {
			parts[i/chunk] = sumSquaresVec(&x[i], j-i)
		} else {
			parts[i/chunk] = sumSquaresGo(x[i:j])
		}
	})
	var sum float64
	for _, p := range parts {
		sum += p
	}
	return sum
}

func sumSquaresGo(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

// AllFinite reports whether x holds no NaN and no infinity.
func AllFinite(x []float32) bool {
	var bad atomic.Bool
	chunks(len(x), func(i, j int) {
		if !bad.Load() && !finite(x[i:j]) {
			bad.Store(true)
		}
	})
	return !bad.Load()
}

func finite(x []float32) bool {
	if isa != portable {
		return finiteVec(&x[0], len(x)) == 0
	}
	return finiteGo(x)
}

func finiteGo(x []float32) bool {
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
