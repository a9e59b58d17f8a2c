package kernel

import (
	"fmt"
	"math"
	"sync"

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
	q := &Quantized{n: n, k: k, data: make([]int8, cols*roundUp(k, 4)), scale: make([]float32, cols), none: make([]float32, cols), shift: make([]int32, cols)}
	parallel.For(n, func(j int) {
		at, step := j, ldb
		if l == NT {
			at, step = j*ldb, 1
		}
		q.column(j, b[at:], step)
	})
	return q
}

// maxQuantized rows are multiplied without an int32 overflowing.
const maxQuantized = math.MaxInt32 / (2 * 255 * mostWeight)

// column rounds the column whose elements lie step apart.
func (q *Quantized) column(j int, b []float32, step int) {
	var largest float32
	for i := range q.k {
		v := float32(math.Abs(float64(b[i*step])))
		if largest = max(largest, v); v != v || math.IsInf(float64(v), 0) {
			q.scale[j] = float32(math.NaN())
			return
		}
	}
	panel := q.data[j/panelCols*panelCols*roundUp(q.k, 4):]
	q.scale[j] = largest / mostWeight
	inverse := inverseOf(largest, mostWeight)
	for i := range q.k {
		w := int8(rounded(b[i*step], inverse))
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

// quantizedRows are rows of A as bytes, 128 more than the integer that an element is of the
// row's scale.
type quantizedRows struct {
	data  []uint8
	scale []float32
}

var quantizedPool = sync.Pool{New: func() any { return new(quantizedRows) }}

func (r *quantizedRows) reserve(rows, width int) {
	if len(r.data) < rows*width {
		r.data = make([]uint8, rows*width)
	}
	if len(r.scale) < rows {
		r.scale = make([]float32, rows)
	}
}

// GemmQuantized computes C = A·op(B) + bias with integers: each row of A, m×k, is rounded to
// integers from -127 to 127 times a scale, products are summed exactly, and the sum is
// multiplied by both scales. So an element depends on its row and its column alone, and is
// the same bits on every instruction set. A row with a number that is not finite gives NaN.
// The bias has n elements; nil is none.
func GemmQuantized(m int, a []float32, lda int, b *Quantized, bias []float32, c []float32, ldc int) {
	GemmQuantizedThen(m, a, lda, b, bias, c, ldc, nil)
}

// GemmQuantizedThen is [GemmQuantized], and what comes next of each block of C.
func GemmQuantizedThen(m int, a []float32, lda int, b *Quantized, bias []float32, c []float32, ldc int, then Then) {
	checkMatrix("a", a, m, b.k, lda)
	checkMatrix("c", c, m, b.n, ldc)
	checkBias(bias, b.n)
	if m == 0 || b.n == 0 {
		return
	}
	if bias == nil {
		bias = b.none
	}
	width := roundUp(b.k, 4)
	rows := quantizedPool.Get().(*quantizedRows)
	rows.reserve(m, width)
	parallel.For(blocks(m, 16), func(t int) {
		for i := t * 16; i < min(m, t*16+16); i++ {
			rows.scale[i] = isa.quantizeRow(rows.data[i*width:][:width], a[i*lda:][:b.k])
		}
	})
	p := integerProduct{rows: rows, width: width, b: b, bias: bias, c: c, ldc: ldc, m: m, then: then}
	down, across := blocks(m, integerRows), blocks(b.n, integerCols)
	parallel.For(down*across, func(t int) { p.block(t%down*integerRows, t/down*integerCols) })
	quantizedPool.Put(rows)
}

// A task's part of C: its columns of B stay in a core's cache.
const (
	integerRows = 64
	integerCols = 256
)

type integerProduct struct {
	rows  *quantizedRows
	width int
	b     *Quantized
	bias  []float32
	c     []float32
	ldc   int
	m     int
	then  Then
}

// integerSet is what computes tiles of so many panels at most: the sums of up to rows rows
// of a, width bytes apart, with each column of the panels. It returns how many rows it did.
type integerSet struct {
	panels int
	tile   func(acc []int32, a []uint8, b []int8, width, rows, panels int) int
	fast   bool // faster than floats
}

var integersGo = integerSet{1, integerTileGo, false}

// integerTiles is the largest tile of any set.
type integerTiles struct{ acc [8 * 2 * panelCols]int32 }

var integerScratch = sync.Pool{New: func() any { return new(integerTiles) }}

func (p *integerProduct) block(i0, j0 int) {
	s := integerScratch.Get().(*integerTiles)
	defer integerScratch.Put(s)
	i1, j1 := min(p.m, i0+integerRows), min(p.b.n, j0+integerCols)
	for j := j0; j < j1; {
		panels := min(isa.integers.panels, blocks(j1-j, panelCols))
		for i := i0; i < i1; {
			rows := isa.integers.tile(s.acc[:], p.rows.data[i*p.width:], p.b.data[j*p.width:], p.width, min(i1-i, 8), panels)
			for r := range rows {
				cols := min(panels*panelCols, j1-j)
				isa.dequantize(p.c[(i+r)*p.ldc+j:][:cols], s.acc[r*panels*panelCols:], p.b.shift[j:], p.b.scale[j:], p.bias[j:], p.rows.scale[i+r])
			}
			i += rows
		}
		j += panels * panelCols
	}
	if p.then != nil {
		p.then(i0, i1-i0, j0, j1-j0)
	}
}

func integerTileGo(acc []int32, a []uint8, b []int8, width, rows, panels int) int {
	cols := panels * panelCols
	clear(acc[:rows*cols])
	for r := range rows {
		for q := range panels {
			panel, sums := b[q*panelCols*width:], acc[r*cols+q*panelCols:][:panelCols]
			for g := 0; g < width; g += 4 {
				x := a[r*width+g:][:4]
				x0, x1, x2, x3 := int32(x[0]), int32(x[1]), int32(x[2]), int32(x[3])
				w := panel[g*panelCols:][:4*panelCols]
				for j := range sums {
					sums[j] += x0*int32(w[4*j]) + x1*int32(w[4*j+1]) + x2*int32(w[4*j+2]) + x3*int32(w[4*j+3])
				}
			}
		}
	}
	return rows
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

// dequantizeGo is c = (acc-shift)·(s·scale) + bias, in three roundings.
func dequantizeGo(c []float32, acc, shift []int32, scale, bias []float32, s float32) {
	for j := range c {
		c[j] = float32(float32(acc[j]-shift[j])*float32(s*scale[j])) + bias[j]
	}
}
