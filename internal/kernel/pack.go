package kernel

import (
	"fmt"
	"unsafe"

	"github.com/goclip/goclip/internal/parallel"
)

// Packed is an op(B), k×n, in the form that the products read fastest: for each
// block of k, panels of as many columns as a tile is wide, row by row. It is a
// copy: the matrix it was made from may be changed or dropped. It is safe for
// concurrent use.
type Packed struct {
	n, k   int
	tiling *tiling
	data   []float32
}

// Pack packs op(B), k×n: for NN from a k×n matrix, for NT from an n×k one.
func Pack(l Layout, n, k int, b []float32, ldb int) *Packed {
	switch l {
	case NN:
		checkMatrix("b", b, k, n, ldb)
	case NT:
		checkMatrix("b", b, n, k, ldb)
	default:
		panic(fmt.Sprintf("kernel: cannot pack layout %d, want NN or NT", l))
	}
	t := tilingFor(isa)
	p := &Packed{n: n, k: k, tiling: t, data: aligned(packedLen(t, n, k))}
	parallel.For(p.tasks(), func(i int) { p.fill(i, l == NT, b, ldb) })
	return p
}

func packedLen(t *tiling, n, k int) int { return roundUp(n, t.lanes) * k }

// aligned returns n floats that begin a cache line.
func aligned(n int) []float32 {
	x := make([]float32, n+15)
	at := int(-uintptr(unsafe.Pointer(unsafe.SliceData(x)))%64) / 4
	return x[at : at+n : at+n]
}

// panel returns the packed panel of columns from j and rows from k0.
func (p *Packed) panel(k0, j int) []float32 {
	at := k0*roundUp(p.n, p.tiling.lanes) + j*min(kBlock, p.k-k0)
	return p.data[at:]
}

func (p *Packed) tasks() int { return blocks(p.n, p.tiling.cols) * blocks(p.k, kBlock) }

// fill packs the i-th of p.tasks() panels.
func (p *Packed) fill(i int, bT bool, b []float32, ldb int) {
	nb := blocks(p.k, kBlock)
	j, k0 := i/nb*p.tiling.cols, i%nb*kBlock
	p.tiling.packB(p.panel(k0, j), bT, b, ldb, k0, min(kBlock, p.k-k0), j, min(p.tiling.cols, p.n-j))
}

// packB packs k rows from k0 and n columns from j of op(B) into panels, whose
// surplus columns it zeroes.
func (t *tiling) packB(dst []float32, bT bool, b []float32, ldb, k0, k, j, n int) {
	for q := 0; q < n; q += t.cols {
		cols := min(t.cols, n-q)
		width := roundUp(cols, t.lanes)
		if bT {
			transpose(dst[q*k:], width, b[(j+q)*ldb+k0:], ldb, cols, k)
		} else {
			copyRows(dst[q*k:], width, b[k0*ldb+j+q:], ldb, k, cols)
		}
		if cols < width {
			for p := range k {
				clear(dst[q*k+p*width+cols : q*k+p*width+width])
			}
		}
	}
}

// copyRows copies a rows×cols block of src, rows ld apart, to rows width apart.
func copyRows(dst []float32, width int, src []float32, ld, rows, cols int) {
	whole := 0
	if isa >= avx2 && cols >= 8 {
		whole = cols &^ 7
		copy8(&dst[0], width, 8, &src[0], ld, rows, whole/8)
	}
	if whole < cols {
		for p := range rows {
			copy(dst[p*width+whole:p*width+cols], src[p*ld+whole:])
		}
	}
}

// packA packs m rows from i and k columns from k0 of op(A), which lies
// transposed: panels of t.rows rows, the last of as many as are left, column by
// column.
func (t *tiling) packA(dst []float32, a []float32, lda, i, m, k0, k int) {
	r := 0
	switch {
	case isa >= avx2 && t.rows == 8 && m >= 8:
		r = m &^ 7
		copy8(&dst[0], 8, 8*k, &a[k0*lda+i], lda, k, r/8)
	case isa >= avx2 && t.rows == 6 && m >= 6:
		r = m / 6 * 6
		copy6(&dst[0], 6, 6*k, &a[k0*lda+i], lda, k, r/6)
	}
	for ; r < m; r += t.rows {
		rows := min(t.rows, m-r)
		for p := range k {
			copy(dst[r*k+p*rows:r*k+p*rows+rows], a[(k0+p)*lda+i+r:])
		}
	}
}

// transpose copies a rows×cols block of src, rows ld apart, so that column c
// becomes dst[c*width : c*width+rows].
func transpose(dst []float32, width int, src []float32, ld, rows, cols int) {
	whole := 0
	if isa >= avx2 {
		if rows < 8 {
			transposeFew(dst, width, src, ld, rows, cols)
			return
		}
		whole = cols &^ 7
	}
	if whole > 0 {
		for r := 0; r < rows; r += 8 {
			at := min(r, rows-8) // the last eight may overlap those before
			transpose8(&dst[at], width, &src[at*ld], ld, whole/8)
		}
	}
	for i := range rows {
		for c := whole; c < cols; c++ {
			dst[c*width+i] = src[i*ld+c]
		}
	}
}

// transposeFew is transpose for fewer than eight rows and a width of eight or
// more: it has rows of zeros below them.
func transposeFew(dst []float32, width int, src []float32, ld, rows, cols int) {
	var eight [8 * kBlock]float32
	for r := range rows {
		copy(eight[r*cols:(r+1)*cols], src[r*ld:])
	}
	transpose(dst, width, eight[:], cols, 8, cols)
}
