package kernel

import "unsafe"

// kBlock is the length of one chain of additions over k; ARCHITECTURE.md has the
// order of every sum.
const kBlock = 256

// tiling is the shape of the tiles of C that an instruction set works on, and
// the functions that compute them, by the tile's rows and vectors of columns.
// A tile of every number of rows exists up to rows; its columns are whole
// vectors, the last of which may be partly used.
type tiling struct {
	rows, cols, lanes int
	tiles             [][]func(*tileArgs)
}

// run computes m rows and n columns of C, n at most t.cols, with an A that is
// packed or in place: whole panels of rows first, then the rows left over.
func (t *tiling) run(x *tileArgs, m, n int, packed bool) {
	vectors := blocks(n, t.lanes)
	x.tail = n - (vectors-1)*t.lanes
	for {
		rows := min(t.rows, m)
		x.panels = m / rows
		if packed {
			x.row, x.col, x.panel = 4, 4*rows, 4*rows*x.k
		} else {
			x.panel = rows * x.row
		}
		t.tiles[rows][vectors](x)
		if m -= x.panels * rows; m == 0 {
			return
		}
		x.a = skip(x.a, x.panels*x.panel)
		x.c = skip(x.c, x.panels*rows*x.ldc)
		if x.add != nil {
			x.add = skip(x.add, x.panels*rows*x.ldadd)
		}
	}
}

func skip(p *float32, bytes int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes))
}

func blocks(n, size int) int { return (n + size - 1) / size }

func roundUp(x, to int) int { return (x + to - 1) / to * to }

func tilingFor(i instructions) *tiling {
	switch i {
	case avx512:
		return &tiling512
	case avx2:
		return &tiling256
	case neon:
		return &tilingNEON
	default:
		return &tilingGo
	}
}

var (
	tiling512  = tiling{rows: 8, cols: 48, lanes: 16, tiles: tilesAVX512}
	tiling256  = tiling{rows: 6, cols: 16, lanes: 8, tiles: tilesAVX2}
	tilingNEON = tiling{rows: 8, cols: 12, lanes: 4, tiles: tilesNEON}
	tilingGo   = tiling{rows: 2, cols: 4, lanes: 4, tiles: tilesGo}
)

// tileArgs are the arguments of a tile function, which computes
//
//	C = alpha·Σ_k A[:,k]·B[k,:] + add
//
// for panels of rows, one below the other. Distances are in bytes. The assembly
// knows the offsets of the fields.
type tileArgs struct {
	k        int      // at least 1
	a        *float32 // the first panel
	row, col int      // between A's rows and columns
	panel    int      // between A's panels of rows
	b        *float32 // a packed panel
	c        *float32
	ldc      int
	add      *float32 // C itself, a row of bias with ldadd 0, or nil
	ldadd    int
	panels   int // at least 1
	tail     int // columns used of the last vector, at least 1
	alpha    float32
}
