package kernel

import (
	"runtime"

	"github.com/goclip/goclip/internal/kernel/asm"
	"github.com/goclip/goclip/internal/parallel"
)

// product is C = alpha·op(A)·op(B) + bias + beta·C.
type product struct {
	aT, bT        bool
	m, n, k       int
	alpha         float32
	a             []float32
	lda           int
	b             []float32
	ldb           int
	packed        *Packed // in place of b
	bias          []float32
	beta          float32
	c             []float32
	ldc           int
	then          Then
	strip, stripM int       // the rows of C at hand
	stripA        []float32 // their A, packed; nil where it is read in place
}

const (
	serialWork = 1 << 20 // multiplications up to which one goroutine is as fast as many
	blockRows  = 192     // rows of A and columns of B, kBlock deep, that stay
	blockCols  = 192     // in a core's second-level cache
	stripLen   = 2 << 20 // elements of A that are packed at a time
	packRows   = 48      // rows of A that one task packs
)

// run computes the product on all cores. B is packed block by block, by the core
// that is about to use it.
func (p *product) run() {
	if p.m == 0 || p.n == 0 || p.k == 0 {
		p.empty()
		return
	}
	if p.packed == nil && int64(p.m)*int64(p.n)*int64(p.k) <= serialWork {
		p.runSerial()
		return
	}
	if !p.aT {
		p.stripM = p.m
		p.multiply()
		return
	}
	p.runPacked()
}

// runPacked packs A first, which lies transposed, in strips of rows.
func (p *product) runPacked() {
	rows := min(p.m, max(blockRows, stripLen/p.k/blockRows*blockRows))
	lent := scratch.get(rows * p.k)
	p.stripA = lent.data
	for p.strip = 0; p.strip < p.m; p.strip += rows {
		p.stripM = min(rows, p.m-p.strip)
		tasks := blocks(p.stripM, packRows) * blocks(p.k, kBlock)
		if tasks <= 4 {
			for i := range tasks {
				p.packA(i)
			}
		} else {
			parallel.For(tasks, p.packA)
		}
		p.multiply()
	}
	scratch.put(lent)
}

// runSerial reads A where it is.
func (p *product) runSerial() {
	if p.m == 0 || p.n == 0 || p.k == 0 {
		p.empty()
		return
	}
	for j := 0; j < p.n; j += blockCols {
		p.block(0, p.m, j, min(blockCols, p.n-j))
	}
}

// empty is the product where there is nothing to sum.
func (p *product) empty() {
	if p.beta == 0 {
		for i := range p.m {
			clear(p.c[i*p.ldc : i*p.ldc+p.n])
		}
	}
	if p.bias != nil {
		p.addBias(0, p.m, 0, p.n)
	}
	if p.then != nil && p.m > 0 && p.n > 0 {
		p.then(0, p.m, 0, p.n)
	}
}

func (p *product) addBias(i, m, j, n int) {
	for r := i; r < i+m; r++ {
		row := p.c[r*p.ldc+j : r*p.ldc+j+n]
		isa.add(row, row, p.bias[j:j+n])
	}
}

// packA packs some rows and columns of the strip's A.
func (p *product) packA(task int) {
	nk := blocks(p.k, kBlock)
	r, k0 := task/nk*packRows, task%nk*kBlock
	k := min(kBlock, p.k-k0)
	t := p.table()
	t.packColumns(p.stripA[k0*p.stripM+r*k:], t.tiles.Rows, p.a[k0*p.lda+p.strip+r:], p.lda, min(packRows, p.stripM-r), k)
}

// multiply spreads the strip's blocks of C over the cores: columns first, since
// blocks beside each other share nothing, and rows only where columns are few, or
// where rows are short and many and nothing is packed for them again.
func (p *product) multiply() {
	t := p.table().tiles
	want := 4 * runtime.GOMAXPROCS(0)
	if down := blocks(p.stripM, blockRows); p.packed != nil && p.k <= 2*kBlock && down >= want {
		parallel.For(down, func(i int) {
			r := i * blockRows
			for j := 0; j < p.n; j += blockCols {
				p.block(p.strip+r, min(blockRows, p.stripM-r), j, min(blockCols, p.n-j))
			}
		})
		return
	}
	panels := blocks(p.n, t.Cols)
	cols := max(1, min(blockCols/t.Cols, blocks(panels, want))) * t.Cols
	across := blocks(p.n, cols)
	down := min(blocks(want, across), blocks(p.stripM, blockRows))
	rows := roundUp(blocks(p.stripM, down), t.Rows)
	down = blocks(p.stripM, rows)
	parallel.For(down*across, func(i int) {
		r, j := i%down*rows, i/down*cols
		p.block(p.strip+r, min(rows, p.stripM-r), j, min(cols, p.n-j))
	})
}

// table is the instruction set in use, or that which B was packed for.
func (p *product) table() *table {
	if p.packed != nil {
		return p.packed.table
	}
	return isa
}

// block computes m rows of C from i and n columns from j, n at most blockCols.
func (p *product) block(i, m, j, n int) {
	t := p.table()
	w := workers.Get().(*worker)
	x := &w.args
	if p.beta == 1 && p.bias != nil {
		p.addBias(i, m, j, n) // where the tiles add it otherwise: before the sums over k
	}
	for k0 := 0; k0 < p.k; k0 += kBlock {
		k := min(kBlock, p.k-k0)
		floats := p.packed != nil && p.packed.halves == nil
		switch {
		case p.packed == nil:
			t.packB(w.b, p.bT, p.b, p.ldb, k0, k, j, n)
		case !floats:
			p.packed.widen(w.b, k0, k, j, n)
		}
		for r := 0; r < m; r += blockRows {
			for q := 0; q < n; q += t.tiles.Cols {
				p.tile(x, i+r, j+q, k0, k)
				if floats {
					x.B = &p.packed.panel(k0, j+q)[0]
				} else {
					x.B = &w.b[q*k]
				}
				t.runTiles(x, min(blockRows, m-r), min(t.tiles.Cols, n-q), p.stripA != nil)
			}
			if p.then != nil && k0+k == p.k {
				p.then(i+r, min(blockRows, m-r), j, n)
			}
		}
	}
	w.args = asm.Tile{}
	workers.Put(w)
}

// tile sets what the tiles of C at row i and column j need for k columns from
// k0, but for B.
func (p *product) tile(x *asm.Tile, i, j, k0, k int) {
	*x = asm.Tile{K: k, C: &p.c[i*p.ldc+j], Ldc: 4 * p.ldc, Alpha: p.alpha}
	switch {
	case p.stripA != nil:
		x.A = &p.stripA[k0*p.stripM+(i-p.strip)*k]
	case p.aT:
		x.A, x.Row, x.Col = &p.a[k0*p.lda+i], 4, 4*p.lda
	default:
		x.A, x.Row, x.Col = &p.a[i*p.lda+k0], 4*p.lda, 4
	}
	switch {
	case k0 > 0 || p.beta == 1:
		x.Add, x.LdAdd = x.C, x.Ldc
	case p.bias != nil:
		x.Add = &p.bias[j]
	}
}
