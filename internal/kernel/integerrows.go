package kernel

import (
	"math"
	"slices"
	"sync"
)

// quantizedRows are rows of A as bytes, 128 more than the integer that an element is of the
// row's scale.
type quantizedRows struct {
	data     []uint8
	scale    []float32
	outliers [][]outlier // of each row
}

// outlier is a number of a row that is not rounded.
type outlier struct {
	at int
	x  float32
}

var quantizedPool = sync.Pool{New: func() any { return new(quantizedRows) }}

// spareRow is memory for a row that is not rounded as it is.
type spareRow struct{ x []float32 }

var sparePool = sync.Pool{New: func() any { return new(spareRow) }}

func (s *spareRow) of(n int) []float32 {
	s.x = slices.Grow(s.x[:0], n)[:n]
	return s.x
}

func (r *quantizedRows) reserve(rows, width int) {
	if len(r.data) < rows*width {
		r.data = make([]uint8, rows*width)
	}
	if len(r.scale) < rows {
		r.scale, r.outliers = make([]float32, rows), make([][]outlier, rows)
	}
}

// farOut is how many times the mean magnitude of a row a number may be and be rounded: a
// step is then a fifth of that mean. Normal random numbers come to 6 times, what GELU leaves of
// them to 20.
const farOut = 24

// mostOutliers of a row are taken out, the first ones.
const mostOutliers = 32

// row rounds row i. Sums of integers tell what stands out, so that it is the same on every
// instruction set.
func (r *quantizedRows) row(i, width int, x, shrink []float32, spare *spareRow) {
	dst := r.data[i*width:][:width]
	var rest []float32 // a copy of ours
	if shrink != nil {
		rest = spare.of(len(x))
		isa.mul(rest, x, shrink)
		x = rest
	}
	r.outliers[i] = r.outliers[i][:0]
	r.scale[i] = isa.quantizeRow(dst, x)
	for {
		sum := isa.deviation(dst)
		if !(r.scale[i] > 0) || mostInput*len(x) <= farOut*sum || len(r.outliers[i]) == mostOutliers {
			return
		}
		if rest == nil {
			rest = spare.of(len(x))
			copy(rest, x)
		}
		limit, before := farOut*r.scale[i]*float32(sum)/float32(len(x)), len(r.outliers[i])
		for j, v := range rest {
			if (v > limit || v < -limit) && len(r.outliers[i]) < mostOutliers {
				r.outliers[i] = append(r.outliers[i], outlier{j, v})
				rest[j] = 0
			}
		}
		if len(r.outliers[i]) == before { // the largest is at the limit
			return
		}
		r.scale[i] = isa.quantizeRow(dst, rest)
	}
}

// add adds an outlier's products with columns of B from j to c.
func (q *Quantized) add(c []float32, j int, o outlier) {
	panel := q.data[j*roundUp(q.k, 4)+o.at/4*4*panelCols+o.at%4:]
	for i := range c {
		w := panel[i/panelCols*panelCols*roundUp(q.k, 4)+i%panelCols*4]
		c[i] += float32(o.x * float32(q.scale[j+i]*float32(w)))
	}
}

// deviationGo sums how far bytes are from what counts for nothing.
func deviationGo(x []uint8) int {
	sum := 0
	for _, v := range x {
		sum += max(int(v)-inputZero, inputZero-int(v))
	}
	return sum
}

// quantizeRowGo rounds a row, and fills it up with what counts for nothing; it returns the
// row's scale.
func quantizeRowGo(dst []uint8, x []float32) float32 {
	var bits uint32
	for _, v := range x {
		bits = max(bits, math.Float32bits(v)&^(1<<31))
	}
	largest, inverse := rowScale(bits)
	for i, v := range x {
		dst[i] = quantizedByte(v, inverse)
	}
	fillUp(dst, len(x))
	return largest / mostInput
}

func fillUp(dst []uint8, from int) {
	for i := from; i < len(dst); i++ {
		dst[i] = inputZero
	}
}

// rowScale is the largest magnitude of a row, and NaN where a number is not finite.
func rowScale(bits uint32) (largest, inverse float32) {
	if bits >= 0x7f800000 {
		return float32(math.NaN()), 0
	}
	largest = math.Float32frombits(bits)
	return largest, inverseOf(largest, mostInput)
}

func quantizedByte(x, inverse float32) uint8 {
	return uint8(inputZero + rounded(x, inverse))
}
