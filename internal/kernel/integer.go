package kernel

import (
	"fmt"
	"math"
	"slices"
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

// GemmQuantized computes C = A·op(B) + bias with integers: each row of A, m×k, is rounded to
// integers from -127 to 127 times a scale, products are summed exactly, and the sum is
// multiplied by both scales. Numbers that stand far out of a row, which would leave few steps
// for the others, are multiplied as they are and added one after another (Dettmers et al.,
// 2022, LLM.int8()). So an element depends on its row and its column alone, and is
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
		spare := sparePool.Get().(*spareRow)
		for i := t * 16; i < min(m, t*16+16); i++ {
			rows.row(i, width, a[i*lda:][:b.k], b.shrink, spare)
		}
		sparePool.Put(spare)
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
				row := p.c[(i+r)*p.ldc+j:][:cols]
				isa.dequantize(row, s.acc[r*panels*panelCols:], p.b.shift[j:], p.b.scale[j:], p.bias[j:], p.rows.scale[i+r])
				for _, o := range p.rows.outliers[i+r] {
					p.b.add(row, j, o)
				}
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

// dequantizeGo is c = (acc-shift)·(s·scale) + bias, in three roundings.
func dequantizeGo(c []float32, acc, shift []int32, scale, bias []float32, s float32) {
	for j := range c {
		c[j] = float32(float32(acc[j]-shift[j])*float32(s*scale[j])) + bias[j]
	}
}
