package kernel

import (
	"math"
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
	sum           []float32 // of each column of A, which lies transposed; nil for none
	strip, stripM int       // the rows of C at hand
	from, to      int       // the k at hand
	stripA        []float32 // their A, packed; nil where it is read in place
}

const (
	serialWork = 1 << 20 // multiplications up to which one goroutine is as fast as many
	blockRows  = 192     // rows of A and columns of B, kBlock deep, that stay
	blockCols  = 192     // in a core's second-level cache
	nearA      = 1 << 19 // elements of A that are near the cores, however often they are read
	leastRows  = 32      // rows of a task, where there are as many
	nearRows   = 256     // elements from one row of a transposed A to the next, up to which it is
	fewCols    = 384     // read in place; beside so few columns of B, 4 times as many
	stripRows  = 1152    // rows of A that are packed at a time,
	stripLen   = 1 << 20 // and elements
	packRows   = 96      // rows of A that are packed at a time
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
	if !p.aT || p.lda <= nearRows || p.n <= fewCols && p.lda <= 4*nearRows {
		p.stripM, p.to = p.m, p.k
		p.multiply()
		return
	}
	p.runPacked()
}

// runPacked packs A first, which lies transposed, in strips of rows and of k. A strip is short
// enough to stay in a cache that the cores share, where the next one takes its place.
func (p *product) runPacked() {
	rows := min(p.m, stripRows)
	deep := max(kBlock, stripLen/rows/kBlock*kBlock)
	lent := scratch.get(p.stripSize(rows, min(p.k, deep)))
	p.stripA = lent.data
	for p.strip = 0; p.strip < p.m; p.strip += rows {
		p.stripM = min(rows, p.m-p.strip)
		for p.from = 0; p.from < p.k; p.from += deep {
			p.to = min(p.k, p.from+deep)
			parallel.For(blocks(p.stripM, packRows)*blocks(p.to-p.from, kBlock), p.packA)
			p.multiply()
		}
	}
	scratch.put(lent)
}

// runSerial reads A where it is.
func (p *product) runSerial() {
	if p.m == 0 || p.n == 0 || p.k == 0 {
		p.empty()
		return
	}
	p.to = p.k
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
	nk := blocks(p.to-p.from, kBlock)
	r, k0 := task/nk*packRows, p.from+task%nk*kBlock
	k := min(kBlock, p.to-k0)
	t := p.table()
	t.packColumns(p.stripA[p.inStrip(r, k0, k):], t.tiles.Rows, pitch(t.tiles.Rows, k), p.a[k0*p.lda+p.strip+r:], p.lda, min(packRows, p.stripM-r), k)
}

// pitch is the distance between panels of A. They lie a cache line further apart than they
// need to: those of one row are written together, and the first lines of all would go to
// one set of the cache.
func pitch(rows, k int) int { return rows*k + 16 }

func (p *product) stripSize(rows, k int) int {
	t := p.table().tiles
	return blocks(rows, t.Rows) * blocks(k, kBlock) * pitch(t.Rows, kBlock)
}

// inStrip is where a panel from row r of the strip and column k0 of A begins.
func (p *product) inStrip(r, k0, k int) int {
	return p.stripSize(p.stripM, k0-p.from) + r/p.table().tiles.Rows*pitch(p.table().tiles.Rows, k)
}

// multiply spreads the strip's blocks of C over the cores: whole rows of blocks, as many for
// each core, where B is packed and k short, so that A is read once; otherwise as cut says.
func (p *product) multiply() {
	procs := runtime.GOMAXPROCS(0)
	if down := roundUp(blocks(p.stripM, blockRows), procs); p.packed != nil && p.k <= 2*kBlock && down >= 4*procs {
		rows := roundUp(blocks(p.stripM, down), p.table().tiles.Rows)
		parallel.For(blocks(p.stripM, rows), func(i int) {
			r := i * rows
			for j := 0; j < p.n; j += blockCols {
				p.block(p.strip+r, min(rows, p.stripM-r), j, min(blockCols, p.n-j))
			}
		})
		return
	}
	rows, cols := p.cut()
	down, across := blocks(p.stripM, rows), blocks(p.n, cols)
	parallel.For(down*across, func(i int) {
		r, j := i%down*rows, i/down*cols
		p.block(p.strip+r, min(rows, p.stripM-r), j, min(cols, p.n-j))
	})
}

// cut chooses the rows and columns of a task: those that take the least time by a rough
// count, in multiplications for each k.
func (p *product) cut() (rows, cols int) {
	packing, reading := 16, 4 // an element of B, and one of A
	if p.stripM*(p.to-p.from) <= nearA {
		reading = 1
	}
	t, procs := p.table().tiles, runtime.GOMAXPROCS(0)
	best, most, wide := int64(math.MaxInt64), 8*procs, blocks(p.n, blockCols)
	for across := wide; across <= max(wide, min(most, blocks(p.n, t.Cols))); across++ {
		c := roundUp(blocks(p.n, across), t.Cols)
		used, n := min(c, roundUp(p.n, t.Lanes)), blocks(p.n, c)
		row, start := used+reading, packing*used
		if p.packed != nil {
			start = 0
		}
		limit := max(1, min(most/across, blocks(p.stripM, leastRows)))
		for down := 1; down <= limit; down++ {
			if down > 1 && down < limit && across*down%procs != 0 {
				continue // the cores would not have as many tasks each
			}
			r := roundUp(blocks(p.stripM, down), t.Rows)
			rounds := blocks(blocks(p.stripM, r)*n, procs)
			// The last tasks seldom end together.
			if time := int64(8*rounds+1) * int64(r*row+start); time < best {
				best, rows, cols = time, r, c
			}
		}
	}
	// Beside up to blockRows rows of A each panel of weights is asked for while the one before is in use.
	near := p.packed != nil && rows > blockRows && rows <= 2*blockRows
	if near || rows >= 2*leastRows && p.uneven(rows, cols) {
		rows = roundUp(blocks(rows, 2), t.Rows)
	}
	return rows, cols
}

// uneven tells whether narrow tasks, of the last columns, leave a core without work for more than a
// hundredth of the time.
func (p *product) uneven(rows, cols int) bool {
	procs, down, across := runtime.GOMAXPROCS(0), blocks(p.stripM, rows), blocks(p.n, cols)
	last := p.n - (across-1)*cols
	rounds := blocks(down*(across-1), procs)
	idle := rounds*procs - down*(across-1) // cores that do narrow tasks in the last round
	narrow := blocks(max(0, down-idle*(cols/last)), procs)
	return 100*procs*(rounds*cols+narrow*last) > 101*down*p.n
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
	var ahead [2*blockRows/16 + kBlock/16]stream
	if p.beta == 1 && p.bias != nil && p.from == 0 {
		p.addBias(i, m, j, n) // where the tiles add it otherwise: before the sums over k
	}
	for k0 := p.from; k0 < p.to; k0 += kBlock {
		k := min(kBlock, p.to-k0)
		if p.sum != nil && j == 0 {
			p.sumA(i, m, k0, k)
		}
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
				t.runTiles(x, min(blockRows, m-r), min(t.tiles.Cols, n-q), p.stripA != nil, p.ahead(ahead[:0], i, m, j, n, k0, r, q))
			}
			if p.then != nil && k0+k == p.k {
				p.then(i+r, min(blockRows, m-r), j, n)
			}
		}
	}
	w.args = asm.Tile{}
	workers.Put(w)
}

// sumA adds up k numbers of each of m columns of A, which are read next, as ColSum does.
func (p *product) sumA(i, m, k0, k int) {
	for r := k0; r < k0+k; r += rowBlock {
		isa.addColumns(p.sum[i:i+m], p.a[r*p.lda+i:], min(rowBlock, k0+k-r), p.lda)
	}
}

// next is the packed panel that a block of n columns from j reads after that of columns j+q and
// rows k0; nothing where A has so many rows that the block comes to the panels again.
func (p *product) next(m, k0, j, n, q int) []float32 {
	if p.packed == nil || p.packed.halves != nil {
		return nil
	}
	if q += p.table().tiles.Cols; q >= n {
		q, k0 = 0, k0+kBlock
	}
	if m > blockRows || k0 >= p.to {
		return nil
	}
	size := min(kBlock, p.to-k0) * min(p.table().tiles.Cols, roundUp(n-q, p.table().tiles.Lanes))
	return p.packed.panel(k0, j+q)[:size]
}

// tile sets what the tiles of C at row i and column j need for k columns from
// k0, but for B.
func (p *product) tile(x *asm.Tile, i, j, k0, k int) {
	*x = asm.Tile{K: k, C: &p.c[i*p.ldc+j], Ldc: 4 * p.ldc, Alpha: p.alpha}
	switch {
	case p.stripA != nil:
		x.A = &p.stripA[p.inStrip(i-p.strip, k0, k)]
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
