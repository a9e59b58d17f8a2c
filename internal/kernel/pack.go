package kernel

import (
	"fmt"
	"unsafe"

	"github.com/goclip/goclip/internal/parallel"
)

// Packed is an op(B), k×n, in the form that the products read fastest: for each
// block of k, panels of as many columns as a tile is wide, row by row. It is a
// copy: the matrix it was made from may be changed or dropped. It is safe for
// concurrent use. Its memory is [outside] the heap, unless it is lent.
type Packed struct {
	n, k  int
	table *table // whose tiles it is packed for
	data  []float32
	lent  *block // where data lies, if it is given back

	half   Half // zero where data is in use
	halves []uint16
}

// Pack packs op(B), k×n: for NN from a k×n matrix, for NT from an n×k one.
func Pack(l Layout, n, k int, b []float32, ldb int) *Packed {
	checkPack(l, n, k, b, ldb)
	p := &Packed{n: n, k: k, table: isa}
	p.data = cacheAligned(outside[float32](p, roundUp(n, isa.tiles.Lanes)*k+15))
	p.pack(l, b, ldb)
	return p
}

// PackLent is [Pack] into memory that was used before, of a matrix that is soon another: the system
// takes longer to find new memory than packing does. It is used again after Release.
func PackLent(l Layout, n, k int, b []float32, ldb int) *Packed {
	checkPack(l, n, k, b, ldb)
	size := roundUp(n, isa.tiles.Lanes) * k
	lent := scratch.get(size)
	p := &Packed{n: n, k: k, table: isa, data: lent.data[:size], lent: lent}
	p.pack(l, b, ldb)
	return p
}

// Release gives the memory of a PackLent back. Then p is used no more; without it the garbage
// collector takes the memory.
func (p *Packed) Release() {
	scratch.put(p.lent)
	p.lent, p.data = nil, nil
}

func (p *Packed) pack(l Layout, b []float32, ldb int) {
	parallel.For(p.tasks(), func(i int) { p.fill(i, l == NT, b, ldb) })
}

func checkPack(l Layout, n, k int, b []float32, ldb int) {
	switch l {
	case NN:
		checkMatrix("b", b, k, n, ldb)
	case NT:
		checkMatrix("b", b, n, k, ldb)
	default:
		panic(fmt.Sprintf("kernel: cannot pack layout %d, want NN or NT", l))
	}
}

// aligned returns n floats that begin a cache line.
func aligned(n int) []float32 { return cacheAligned(paged[float32](n + 15)) }

// cacheAligned cuts 15 floats off x so that the others begin a cache line.
func cacheAligned(x []float32) []float32 {
	at, n := int(-uintptr(unsafe.Pointer(unsafe.SliceData(x)))%64)/4, len(x)-15
	return x[at : at+n : at+n]
}

// panel returns the packed panel of columns from j and rows from k0.
func (p *Packed) panel(k0, j int) []float32 {
	return p.data[p.at(k0, j):]
}

// at is where the panel of columns from j and rows from k0 begins.
func (p *Packed) at(k0, j int) int {
	return k0*roundUp(p.n, p.table.tiles.Lanes) + j*min(kBlock, p.k-k0)
}

func (p *Packed) tasks() int { return blocks(p.n, p.table.tiles.Cols) * blocks(p.k, kBlock) }

// fill packs the i-th of p.tasks() panels.
func (p *Packed) fill(i int, bT bool, b []float32, ldb int) {
	nb := blocks(p.k, kBlock)
	j, k0 := i/nb*p.table.tiles.Cols, i%nb*kBlock
	p.table.packB(p.panel(k0, j), bT, b, ldb, k0, min(kBlock, p.k-k0), j, min(p.table.tiles.Cols, p.n-j))
}

// packB packs k rows from k0 and n columns from j of op(B) into panels, whose
// surplus columns it zeroes.
func (t *table) packB(dst []float32, bT bool, b []float32, ldb, k0, k, j, n int) {
	q := 0
	if whole := n / t.tiles.Cols * t.tiles.Cols; whole > 0 && !bT {
		t.packColumns(dst, t.tiles.Cols, t.tiles.Cols*k, b[k0*ldb+j:], ldb, whole, k)
		q = whole
	}
	for ; q < n; q += t.tiles.Cols {
		cols := min(t.tiles.Cols, n-q)
		width := roundUp(cols, t.tiles.Lanes)
		if bT {
			t.transpose(dst[q*k:], width, b[(j+q)*ldb+k0:], ldb, cols, k)
		} else {
			t.copyRows(dst[q*k:], width, b[k0*ldb+j+q:], ldb, k, cols)
		}
		if cols < width {
			for p := range k {
				clear(dst[q*k+p*width+cols : q*k+p*width+width])
			}
		}
	}
}

// copyRowsGo copies a rows×cols block of src, rows ld apart, to rows width apart.
func copyRowsGo(dst []float32, width int, src []float32, ld, rows, cols int) {
	for p := range rows {
		copy(dst[p*width:p*width+cols], src[p*ld:])
	}
}

// transposeGo copies a rows×cols block of src, rows ld apart, so that column c
// becomes dst[c*width : c*width+rows].
func transposeGo(dst []float32, width int, src []float32, ld, rows, cols int) {
	for i := range rows {
		for c := range cols {
			dst[c*width+i] = src[i*ld+c]
		}
	}
}

// packColumnsGo packs a k×m block of B or of a transposed A, rows ld apart: panels of
// so many of its columns, pitch apart, the last of as many as are left; in a panel row by
// row of the block.
func packColumnsGo(dst []float32, cols, pitch int, src []float32, ld, m, k int) {
	for r := 0; r < m; r += cols {
		n := min(cols, m-r)
		panel := dst[r/cols*pitch:]
		for p := range k {
			copy(panel[p*n:p*n+n], src[p*ld+r:])
		}
	}
}
