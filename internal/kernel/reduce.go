package kernel

import "math"

// ColSum computes dst[j] = Σ_i x[i,j] for an x of (rows, cols). Rows are added in
// ascending order, in blocks.
func ColSum(dst, x []float32, rows, cols int) {
	checkLen("dst", dst, cols)
	checkRows("x", x, rows, cols)
	const strip = 64
	Parallel((cols+strip-1)/strip, func(s int) {
		j0, j1 := s*strip, min(cols, s*strip+strip)
		colSumGo(dst[j0:j1], x[j0:], rows, cols)
	})
}

// rowBlock is the number of rows that are added up before their sum joins the
// total, so that the error grows with rowBlock + rows/rowBlock, not with rows.
const rowBlock = 64

func colSumGo(dst, x []float32, rows, ld int) {
	clear(dst)
	for j := range dst {
		for i0 := 0; i0 < rows; i0 += rowBlock {
			var sum float32
			for i := i0; i < min(rows, i0+rowBlock); i++ {
				sum += x[i*ld+j]
			}
			dst[j] += sum
		}
	}
}

// Dot returns Σ a·b.
func Dot(a, b []float32) float32 {
	checkLen("b", b, len(a))
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return float32(sum)
}

// SumSquares returns Σ x².
func SumSquares(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

// AllFinite reports whether x holds no NaN and no infinity.
func AllFinite(x []float32) bool {
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
