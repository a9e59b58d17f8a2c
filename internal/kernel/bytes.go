package kernel

import "fmt"

// HasIntegers tells whether products of integers are faster here than those of floats: where
// they are plain Go they are not.
func HasIntegers() bool { return isa.integers.fast }

// RowBytes is how long a row of k bytes is as [DotsQuantized] reads it: filled up with 128,
// which stands for 0.
func RowBytes(k int) int { return roundUp(k, 4) }

// DotsQuantized gives c[i·n+j] = Σ (a[i,g]-128)·scale[i] · column j of b + bias[j], where the n
// columns are those of b and rows of a, one for each scale, are [RowBytes] long. As in
// [GemmQuantized] the sum is exact and three float32 roundings follow, so the bits are the
// same on every instruction set. It runs on the caller's goroutine.
func DotsQuantized(c []float32, a []uint8, scale []float32, b *Quantized, bias []float32) {
	m, width := len(scale), RowBytes(b.k)
	if len(a) != m*width {
		panic(fmt.Sprintf("kernel: DotsQuantized: %d bytes, want %d rows of %d", len(a), m, width))
	}
	if b.shrink != nil {
		panic("kernel: DotsQuantized: b is of QuantizeWeights, want one of Quantize")
	}
	checkLen("c", c, m*b.n)
	checkBias(bias, b.n)
	p := integerProduct{rows: &quantizedRows{data: a, scale: scale, outliers: make([][]outlier, m)}, width: width, b: b, bias: bias, c: c, ldc: b.n, m: m}
	for i := 0; i < m; i += integerRows {
		for j := 0; j < b.n; j += integerCols {
			p.block(i, min(m, i+integerRows), j, min(b.n, j+integerCols))
		}
	}
}

// Column returns column j of op(B) as it was rounded: its integers, appended to to, and what each is multiplied by.
func (q *Quantized) Column(to []int8, j int) (scale float32, integers []int8) {
	panel := q.data[j/panelCols*panelCols*roundUp(q.k, 4):]
	for i := range q.k {
		to = append(to, panel[i/4*4*panelCols+j%panelCols*4+i%4])
	}
	return q.scale[j], to
}
