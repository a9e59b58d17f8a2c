package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

// Triangle says what a product whose causal mask leaves a triangle need not compute.
type Triangle uint8

const (
	LowerC Triangle = iota // elements of C above the diagonal, which hold anything afterwards
	LowerA                 // elements of op(A) above the diagonal, which are zeros
	UpperA                 // elements of op(A) below it, which are zeros; op(A) has no more rows than columns
)

// GemmSerialTriangle is [GemmSerial] with beta 0 in little more than half the multiplications. What is wanted
// of C has the same bits, but that a sum of zeros may have the other sign. A number of B that is not finite may or
// may not reach rows of op(A) that have zeros for it.
func GemmSerialTriangle(t Triangle, l Layout, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	checkGemm(l, m, n, k, a, lda, b, ldb, 0, c, ldc)
	if t == UpperA && m > k {
		panic("kernel: an upper triangle has more rows than columns")
	}
	p := product{aT: l == TN, bT: l == NT, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc}
	if m == 0 || n == 0 || k == 0 {
		p.empty()
		return
	}
	for j := 0; j < n; j += blockCols {
		p.triangle(t, j, min(blockCols, n-j))
	}
}

// triangle computes n columns of C from j, a few rows at a time, each few of the columns and from so
// many k as they need.
func (p *product) triangle(t Triangle, j, n int) {
	s, w := isa.tiles, workers.Get().(*worker)
	for k0 := 0; k0 < p.k; k0 += kBlock {
		k := min(kBlock, p.k-k0)
		isa.packB(w.b, p.bT, p.b, p.ldb, k0, k, j, n)
		for r := 0; r < p.m; r += 2 * s.Rows {
			rows := min(2*s.Rows, p.m-r)
			cols, from, to, first := n, 0, k, 0
			switch t {
			case LowerC:
				cols = min(n, roundUp(max(0, r+rows-j), s.Cols))
			case LowerA:
				to = min(k, r+rows-k0)
			case UpperA:
				from, first = max(0, r-k0), r/kBlock*kBlock
			}
			if from >= to {
				continue
			}
			for q := 0; q < cols; q += s.Cols {
				x := &w.args
				p.tile(x, r, j+q, k0+from, to-from)
				if k0 == first {
					x.Add = nil
				}
				x.B = &w.b[q*k+from*min(s.Cols, roundUp(n-q, s.Lanes))]
				isa.runTiles(x, rows, min(s.Cols, cols-q), false, nil)
			}
		}
	}
	w.args = asm.Tile{}
	workers.Put(w)
}
