package kernel

import "fmt"

// Dots gives dst[i·n+j] = Dot(query i, row j), the same bits, for queries and for n rows of
// dim numbers each, one behind the other.
func Dots(dst, queries, rows []float32, dim int) {
	if dim < 1 || len(queries)%dim != 0 || len(rows)%dim != 0 {
		panic(fmt.Sprintf("kernel: Dots: %d and %d numbers, want rows of %d", len(queries), len(rows), dim))
	}
	n := len(rows) / dim
	checkLen("dst", dst, n*(len(queries)/dim))
	if n == 0 {
		return
	}
	for ; len(queries) > 0 && dim > chunk; queries, dst = queries[dim:], dst[n:] {
		for j := range n {
			dst[j] = Dot(queries[:dim], rows[j*dim:][:dim])
		}
	}
	for len(queries) > 0 {
		done := isa.dots(dst, queries, rows, dim, n)
		queries, dst = queries[done*dim:], dst[done*n:]
	}
}

// dotsGo does one query; others do more, and say how many.
func dotsGo(dst, queries, rows []float32, dim, n int) (done int) {
	for j := range n {
		dst[j] = dotGo(queries[:dim], rows[j*dim:][:dim])
	}
	return 1
}
