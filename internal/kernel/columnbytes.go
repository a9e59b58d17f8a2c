package kernel

import (
	"fmt"
	"sync"
)

// Columns are those of a [Quantized] one behind the other, as [DotsColumns] reads them. They
// are safe for concurrent use.
type Columns struct {
	n, k  int
	data  []int8 // (n rounded up to even, RowBytes(k))
	scale []float32
	shift []int32
}

// Columns copies what [Quantize] made.
func (q *Quantized) Columns() *Columns {
	if q.shrink != nil {
		panic("kernel: Columns of QuantizeWeights, want those of Quantize")
	}
	width := RowBytes(q.k)
	c := &Columns{q.n, q.k, make([]int8, 0, roundUp(q.n, 2)*width), q.scale, q.shift}
	for j := range q.n {
		_, c.data = q.Column(c.data, j)
		c.data = c.data[:(j+1)*width]
	}
	c.data = c.data[:cap(c.data)]
	return c
}

// columnRows are multiplied with two columns at a time.
const columnRows = 64

type columnTile struct {
	acc [2][columnRows]int32
}

var columnPool = sync.Pool{New: func() any { return new(columnTile) }}

// DotsColumns gives the same bits as [DotsQuantized], that of row i and column j as c[j·m+i] for
// m rows. It reads the rows once for every two columns, where [DotsQuantized] takes as long for
// one column as for sixteen: it is for few.
func DotsColumns(c []float32, a []uint8, scale []float32, b *Columns, bias []float32) {
	m, width := len(scale), RowBytes(b.k)
	if len(a) != m*width {
		panic(fmt.Sprintf("kernel: DotsColumns: %d bytes, want %d rows of %d", len(a), m, width))
	}
	checkLen("c", c, m*b.n)
	checkBias(bias, b.n)
	t := columnPool.Get().(*columnTile)
	defer columnPool.Put(t)
	for i := 0; i < m; i += columnRows {
		rows := min(columnRows, m-i)
		for j := 0; j < b.n; j += 2 {
			isa.byteDots(t.acc[0][:rows], t.acc[1][:rows], a[i*width:], b.data[j*width:], width)
			for h := range min(2, b.n-j) {
				shift, s, start, out := b.shift[j+h], b.scale[j+h], bias[j+h], c[(j+h)*m+i:][:rows]
				for r, sum := range t.acc[h][:rows] {
					out[r] = float32(float32(sum-shift)*float32(scale[i+r]*s)) + start
				}
			}
		}
	}
}

// byteDotsGo sums the products of each row of a with the two of b, all of width numbers.
func byteDotsGo(first, second []int32, a []uint8, b []int8, width int) {
	for i := range first {
		first[i], second[i] = byteDot(a[i*width:][:width], b), byteDot(a[i*width:][:width], b[width:])
	}
}

func byteDot(a []uint8, b []int8) int32 {
	sum := int32(0)
	for i, v := range b[:len(a)] {
		sum += int32(a[i]) * int32(v)
	}
	return sum
}
