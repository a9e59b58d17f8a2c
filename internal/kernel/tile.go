package kernel

import (
	"unsafe"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// kBlock is the length of one chain of additions over k; ARCHITECTURE.md has the
// order of every sum.
const kBlock = 256

// Chain is kBlock, for callers who know which terms of a sum are zeros: a chain, or a product whose k begins
// or ends where chains do, may be left out if all of its terms are.
const Chain = kBlock

// runTiles computes m rows and n columns of C, n at most t.tiles.Cols, with an A
// that is packed or in place: whole panels of rows first, then the rows left over. Beside the
// whole ones it asks for the streams that are told, one after the other; where none are, for the
// panel of A that comes next.
func (t *table) runTiles(x *asm.Tile, m, n int, packed bool, ahead []stream) {
	s := t.tiles
	vectors := blocks(n, s.Lanes)
	x.Tail = n - (vectors-1)*s.Lanes
	for {
		rows := min(s.Rows, m)
		x.Panels = m / rows
		switch {
		case packed:
			x.Row, x.Col, x.Panel = 4, 4*rows, 4*pitch(rows, x.K)
			x.Ahead, x.Line, x.Turn = x.Panel, 64, 64*rows-512
		case x.Col == 4:
			x.Panel = rows * x.Row
			x.Ahead, x.Line, x.Turn = x.Panel, x.Row, 64-8*x.Row
		default: // of a transposed A, whose panels share lines: the lines after the next, of every other k
			x.Panel = rows * x.Row
			x.Ahead, x.Line, x.Turn = 128, 2*x.Col, 0
		}
		x.Step = 0
		if len(ahead) > 0 {
			x.Panels = max(1, x.Panels/len(ahead))
			ahead[0].beside(x)
			ahead = ahead[1:]
		}
		s.By[rows][vectors](x)
		if m -= x.Panels * rows; m == 0 {
			return
		}
		x.A = skip(x.A, x.Panels*x.Panel)
		x.C = skip(x.C, x.Panels*rows*x.Ldc)
		if x.Add != nil {
			x.Add = skip(x.Add, x.Panels*rows*x.LdAdd)
		}
	}
}

func skip(p *float32, bytes int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes))
}

func distance(from, to *float32) int {
	return int(uintptr(unsafe.Pointer(to)) - uintptr(unsafe.Pointer(from)))
}

var tilesGo = asm.TileSet{Rows: 2, Cols: 4, Lanes: 4, By: [][]func(*asm.Tile){
	1: {1: func(t *asm.Tile) { tileGo(t, 1) }},
	2: {1: func(t *asm.Tile) { tileGo(t, 2) }},
}}

// tileGo is the specification of the tiles, for one or two rows and four
// columns. It rounds products before it adds them, except where the
// architecture's compiler fuses the two; the assembly always fuses them.
func tileGo(t *asm.Tile, rows int) {
	row, col, panel, ldc, ldadd := t.Row/4, t.Col/4, t.Panel/4, t.Ldc/4, t.LdAdd/4
	last := t.Panels*rows - 1
	a := unsafe.Slice(t.A, (t.Panels-1)*panel+(rows-1)*row+(t.K-1)*col+1)
	b := unsafe.Slice(t.B, 4*t.K)
	c := unsafe.Slice(t.C, last*ldc+t.Tail)
	var add []float32
	if t.Add != nil {
		add = unsafe.Slice(t.Add, last*ldadd+t.Tail)
	}
	for p := range t.Panels {
		var sums [2][4]float32
		if rows == 2 && row == 1 && col == 2 {
			dot2x4(a[p*panel:p*panel+2*t.K], b, &sums)
		} else {
			for r := range rows {
				dot1x4(a[p*panel+r*row:], col, b, &sums[r])
			}
		}
		for r := range rows {
			i := p*rows + r
			for j, sum := range sums[r][:t.Tail] {
				if add != nil {
					c[i*ldc+j] = t.Alpha*sum + add[i*ldadd+j]
				} else {
					c[i*ldc+j] = t.Alpha * sum
				}
			}
		}
	}
}

func dot1x4(a []float32, col int, b []float32, sum *[4]float32) {
	for i := 0; len(b) >= 4; i, b = i+col, b[4:] {
		for j := range sum {
			sum[j] += a[i] * b[j]
		}
	}
}

// dot2x4 is as much as the compiler keeps in registers: 7 GFLOP/s on a Zen 4
// core with Go 1.26, where 4×4 reaches 4 and gonum without assembly 3.5.
func dot2x4(a, b []float32, sums *[2][4]float32) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	for len(a) >= 2 && len(b) >= 4 {
		a0, a1 := a[0], a[1]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		c00 += a0 * b0
		c01 += a0 * b1
		c02 += a0 * b2
		c03 += a0 * b3
		c10 += a1 * b0
		c11 += a1 * b1
		c12 += a1 * b2
		c13 += a1 * b3
		a, b = a[2:], b[4:]
	}
	*sums = [2][4]float32{{c00, c01, c02, c03}, {c10, c11, c12, c13}}
}
