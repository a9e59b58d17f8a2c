package kernel

import "runtime"

// product is C = alpha·op(A)·op(B) + bias + beta·C, all but its B.
type product struct {
	aT      bool
	m, n, k int
	alpha   float32
	a       []float32
	lda     int
	bias    []float32
	beta    float32
	c       []float32
	ldc     int
}

const (
	serialWork = 1 << 20 // multiplications up to which one goroutine is as fast as many
	blockRows  = 192     // rows of A that a task keeps in a core's second-level cache
	stripLen   = 2 << 20 // elements of A that are packed at a time
	packRows   = 48      // rows of A that one task packs
)

// run packs B beside A, then multiplies.
func (p *product) run(bT bool, b []float32, ldb int) {
	if int64(p.m)*int64(p.n)*int64(p.k) <= serialWork {
		p.runSerial(bT, b, ldb)
		return
	}
	t := tilingFor(isa)
	lent := scratch.get(packedLen(t, p.n, p.k))
	packed := &Packed{n: p.n, k: p.k, tiling: t, data: lent.data}
	p.strips(packed, packed.tasks(), func(i int) { packed.fill(i, bT, b, ldb) })
	scratch.put(lent)
}

// runPacked multiplies with a B that is packed already.
func (p *product) runPacked(b *Packed) {
	if p.m == 0 || p.n == 0 || p.k == 0 {
		p.empty()
		return
	}
	p.strips(b, 0, nil)
}

// runSerial packs B panel by panel and reads A where it is.
func (p *product) runSerial(bT bool, b []float32, ldb int) {
	if p.m == 0 || p.n == 0 || p.k == 0 {
		p.empty()
		return
	}
	w := workers.Get().(*worker)
	x, t := &w.args, tilingFor(isa)
	p.begin(0, p.m, 0, p.n)
	for j := 0; j < p.n; j += t.cols {
		n := min(t.cols, p.n-j)
		for k0 := 0; k0 < p.k; k0 += kBlock {
			k := min(kBlock, p.k-k0)
			t.packB(w.panel, bT, b, ldb, k0, k, j, n)
			p.tile(x, 0, j, k0, k)
			x.b = &w.panel[0]
			if p.aT {
				x.a, x.row, x.col = &p.a[k0*p.lda], 4, 4*p.lda
			} else {
				x.a, x.row, x.col = &p.a[k0], 4*p.lda, 4
			}
			t.run(x, p.m, n, false)
		}
	}
	w.args = tileArgs{}
	workers.Put(w)
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
}

func (p *product) addBias(i, m, j, n int) {
	for r := i; r < i+m; r++ {
		row := p.c[r*p.ldc+j : r*p.ldc+j+n]
		add(row, row, p.bias[j:j+n])
	}
}

// begin adds the bias to a block of C that is itself added to. Where it is not,
// the tiles add the bias, in the same place: before the sums over k.
func (p *product) begin(i, m, j, n int) {
	if p.beta == 1 && p.bias != nil {
		p.addBias(i, m, j, n)
	}
}

// tile sets what the tiles of C at row i and column j need for k columns from k0,
// but for A and B.
func (p *product) tile(x *tileArgs, i, j, k0, k int) {
	*x = tileArgs{k: k, c: &p.c[i*p.ldc+j], ldc: 4 * p.ldc, alpha: p.alpha}
	switch {
	case k0 > 0 || p.beta == 1:
		x.add, x.ldadd = x.c, x.ldc
	case p.bias != nil:
		x.add = &p.bias[j]
	}
}

// strips goes over the rows of C in strips whose A is packed at a time. Before
// the first, it does the given number of tasks beside packing.
func (p *product) strips(b *Packed, tasks int, task func(int)) {
	rows := min(p.m, max(blockRows, stripLen/p.k/blockRows*blockRows))
	lent := scratch.get(rows * p.k)
	for i := 0; i < p.m; i += rows {
		s := strip{p, b, lent.data, i, min(rows, p.m-i)}
		packs := tasks + s.packTasks()
		pack := func(i int) {
			if i < tasks {
				task(i)
			} else {
				s.pack(i - tasks)
			}
		}
		if packs > 4 {
			Parallel(packs, pack)
		} else {
			for i := range packs {
				pack(i)
			}
		}
		tasks = 0
		s.multiply()
	}
	scratch.put(lent)
}

// strip is rows [i, i+m) of a product, whose A is packed.
type strip struct {
	*product
	b      *Packed
	packed []float32
	i, m   int
}

func (s *strip) packTasks() int { return blocks(s.m, packRows) * blocks(s.k, kBlock) }

func (s *strip) pack(task int) {
	nk := blocks(s.k, kBlock)
	r, k0 := task/nk*packRows, task%nk*kBlock
	k := min(kBlock, s.k-k0)
	s.b.tiling.packA(s.packed[k0*s.m+r*k:], s.aT, s.a, s.lda, s.i+r, min(packRows, s.m-r), k0, k)
}

// multiply spreads the blocks of C over the cores.
func (s *strip) multiply() {
	t := s.b.tiling
	down := blocks(s.m, blockRows)
	rows := roundUp(blocks(s.m, down), t.rows)
	down = blocks(s.m, rows)
	panels := blocks(s.n, t.cols)
	across := min(max(1, panels*t.cols/192), blocks(8*runtime.GOMAXPROCS(0), down))
	width := blocks(panels, across) * t.cols
	across = blocks(s.n, width)
	Parallel(down*across, func(i int) {
		r, j := i/across*rows, i%across*width
		s.block(r, min(rows, s.m-r), j, min(width, s.n-j))
	})
}

// block computes m rows of C from r, counted in the strip, and n columns from j.
func (s *strip) block(r, m, j, n int) {
	w := workers.Get().(*worker)
	x, t := &w.args, s.b.tiling
	s.begin(s.i+r, m, j, n)
	for k0 := 0; k0 < s.k; k0 += kBlock {
		k := min(kBlock, s.k-k0)
		for q := j; q < j+n; q += t.cols {
			s.tile(x, s.i+r, q, k0, k)
			x.a, x.b = &s.packed[k0*s.m+r*k], &s.b.panel(k0, q)[0]
			t.run(x, m, min(t.cols, s.n-q), true)
		}
	}
	w.args = tileArgs{}
	workers.Put(w)
}
