package kernel

import "fmt"

// dots is a function that computes as many queries at a time.
type dots struct {
	queries int
	do      func(dst, q, rows []float32, dim, n, ld int)
}

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
	for len(queries) > 0 {
		done := 1
		if f := isa.dotsOf(len(queries)/dim, dim); f != nil {
			done = f.queries
			f.do(dst, queries, rows, dim, n, n)
		} else {
			for j := range n {
				dst[j] = Dot(queries[:dim], rows[j*dim:][:dim])
			}
		}
		queries, dst = queries[done*dim:], dst[done*n:]
	}
}

// dotsOf is the function for as many of the queries as one can do, or nil.
func (t *table) dotsOf(queries, dim int) *dots {
	for i := range t.dots {
		if t.dots[i].queries <= queries && dim <= chunk {
			return &t.dots[i]
		}
	}
	return nil
}
