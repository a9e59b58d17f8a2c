package kernel

import (
	"fmt"
	"math"
	"slices"

	"github.com/goclip/goclip/internal/parallel"
)

// Quantized is an op(B), k×n, whose columns are integers from -63 to 63 times a scale each,
// as [GemmQuantized] reads them: a byte an element. Seven bits are what AVX2 multiplies with
// bytes without saturating. It is safe for concurrent use.
type Quantized struct {
	n, k  int
	data  []int8    // panels of 16 columns: for each four rows of op(B), those of each column
	scale []float32 // of each column
	none  []float32 // the bias of a layer without one
	shift []int32   // 128 times the sum of each column, since rows of A are stored as 128 more

	// shrink, where not nil, is a power of two for each row of op(B), by which it is divided and
	// a column of A multiplied: what a model multiplies with small numbers is often large
	// (Xiao et al., 2023, SmoothQuant).
	shrink []float32
}

const (
	mostWeight = 63
	mostInput  = 127
	panelCols  = 16
	inputZero  = 128
)

// Quantize rounds op(B), k×n, to the nearest integers: for NN from a k×n matrix, for NT
// from an n×k one. The largest magnitude of a column becomes 63. A column with a number that
// is not finite gives NaN in every product.
func Quantize(l Layout, n, k int, b []float32, ldb int) *Quantized {
	return quantize(l, n, k, b, ldb, false)
}

// QuantizeWeights is [Quantize] for [GemmQuantized] alone, where rows of op(B) that are far
// smaller than others keep their steps, and columns of A are divided by as much.
func QuantizeWeights(l Layout, n, k int, b []float32, ldb int) *Quantized {
	return quantize(l, n, k, b, ldb, true)
}

func quantize(l Layout, n, k int, b []float32, ldb int, weights bool) *Quantized {
	switch {
	case l == NN:
		checkMatrix("b", b, k, n, ldb)
	case l == NT:
		checkMatrix("b", b, n, k, ldb)
	default:
		panic(fmt.Sprintf("kernel: cannot quantize layout %d, want NN or NT", l))
	}
	if k > maxQuantized {
		panic(fmt.Sprintf("kernel: cannot quantize %d rows, want %d or fewer", k, maxQuantized))
	}
	cols := roundUp(n, panelCols)
	q := &Quantized{n: n, k: k, data: paged[int8](cols * roundUp(k, 4)), scale: make([]float32, cols), none: make([]float32, cols), shift: make([]int32, cols)}
	row, column := ldb, 1
	if l == NT {
		row, column = 1, ldb
	}
	if weights {
		q.shrink = shrinking(n, k, b, row, column)
	}
	parallel.For(n, func(j int) { q.column(j, b[j*column:], row) })
	return q
}

// shrinking finds rows of op(B) whose largest number is less than an eighth of that of the
// median row, and brings them near it; nil where there are none.
func shrinking(n, k int, b []float32, row, column int) []float32 {
	if n == 0 || k == 0 {
		return nil
	}
	largest := make([]float32, k)
	parallel.For(blocks(k, 64), func(t int) {
		for j := range n {
			for i := t * 64; i < min(k, t*64+64); i++ {
				v := b[i*row+j*column]
				largest[i] = max(largest[i], v, -v)
			}
		}
	})
	sorted := slices.Sorted(slices.Values(largest))
	median := sorted[k/2]
	var shrink []float32
	for i, v := range largest {
		if !(v < median/8 && v >= 1e-30 && median < 1e30) {
			continue
		}
		if shrink == nil {
			shrink = slices.Repeat([]float32{1}, k)
		}
		_, e := math.Frexp(float64(v / median)) // v is 2^e of the median, or half of it
		shrink[i] = float32(math.Ldexp(1, e))
	}
	return shrink
}

// maxQuantized rows are multiplied without an int32 overflowing.
const maxQuantized = math.MaxInt32 / (2 * 255 * mostWeight)

// column rounds the column whose elements lie step apart.
func (q *Quantized) column(j int, b []float32, step int) {
	at := func(i int) float32 {
		if q.shrink == nil {
			return b[i*step]
		}
		return b[i*step] / q.shrink[i]
	}
	var largest float32
	for i := range q.k {
		v := float32(math.Abs(float64(at(i))))
		if largest = max(largest, v); v != v || math.IsInf(float64(v), 0) {
			q.scale[j] = float32(math.NaN())
			return
		}
	}
	panel := q.data[j/panelCols*panelCols*roundUp(q.k, 4):]
	q.scale[j] = largest / mostWeight
	inverse := inverseOf(largest, mostWeight)
	for i := range q.k {
		w := int8(rounded(at(i), inverse))
		panel[i/4*4*panelCols+j%panelCols*4+i%4] = w
		q.shift[j] += inputZero * int32(w)
	}
}

// inverseOf is what makes the largest magnitude the largest integer. Numbers that are
// nothing beside any that a model computes with are zero.
func inverseOf(largest float32, most float32) float32 {
	if !(largest >= 1e-30) {
		return 0
	}
	return most / largest
}

func rounded(x, inverse float32) int32 {
	return int32(math.RoundToEven(float64(x * inverse)))
}

// QuantizationError is how much rounding changes an n×k matrix whose rows become columns of
// a [Quantized]: the length of the differences over the length of the matrix, without the
// largest number of each row, beside which the others may be nothing. It is NaN where a
// number is not finite.
func QuantizationError(n, k int, b []float32) float64 {
	checkMatrix("b", b, n, k, k)
	wrong, whole := make([]float64, n), make([]float64, n)
	parallel.For(n, func(j int) {
		row := b[j*k:][:k]
		var largest float32
		for _, v := range row {
			largest = max(largest, v, -v)
		}
		inverse, scale := inverseOf(largest, mostWeight), float64(largest)/mostWeight
		for _, v := range row {
			d := float64(v) - scale*float64(rounded(v, inverse))
			wrong[j] += d * d
			whole[j] += float64(v) * float64(v)
		}
		whole[j] -= float64(largest) * float64(largest)
	})
	var w, all float64
	for j := range wrong {
		w, all = w+wrong[j], all+whole[j]
	}
	if w == 0 {
		return 0
	}
	return math.Sqrt(w / all)
}
