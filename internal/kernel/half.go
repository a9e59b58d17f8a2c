package kernel

import (
	"fmt"
	"math"
	"runtime"

	"github.com/goclip/goclip/internal/parallel"
)

// Half is a format of 16 bits in which packed weights may be kept.
type Half uint8

// The formats.
const (
	Float16  Half = iota + 1 // 11 bits of a float32's 24, up to 65504
	BFloat16                 // 8 bits of 24, at any magnitude
)

// PackHalves is [Pack] for NT from an n×k matrix of halves, in half the memory: products
// widen them, a block at a time, and so give the bits that they give with floats of the same
// values.
func PackHalves(f Half, n, k int, b []uint16, ldb int) *Packed {
	switch {
	case f != Float16 && f != BFloat16:
		panic(fmt.Sprintf("kernel: no format %d of halves", f))
	case n < 0 || k < 0 || ldb < k || n > 0 && len(b) < (n-1)*ldb+k:
		panic(fmt.Sprintf("kernel: b has %d halves, want %d rows of %d, %d apart", len(b), n, k, ldb))
	}
	p := &Packed{n: n, k: k, table: isa, half: f}
	p.halves = outside[uint16](p, roundUp(n, isa.tiles.Lanes)*k)
	parallel.For(p.tasks(), func(i int) { p.fillHalves(i, b, ldb) })
	return p
}

// fillHalves packs the i-th of p.tasks() panels, whose surplus columns stay zero.
func (p *Packed) fillHalves(i int, b []uint16, ldb int) {
	t := p.table.tiles
	nb := blocks(p.k, kBlock)
	j, k0 := i/nb*t.Cols, i%nb*kBlock
	k, cols := min(kBlock, p.k-k0), min(t.Cols, p.n-j)
	width := roundUp(cols, t.Lanes)
	panel := p.halves[p.at(k0, j):]
	for c := range cols {
		for r, v := range b[(j+c)*ldb+k0:][:k] {
			panel[r*width+c] = v
		}
	}
}

// widen makes floats of n columns from j and of k rows from k0, in panels.
func (p *Packed) widen(dst []float32, k0, k, j, n int) {
	n = roundUp(n, p.table.tiles.Lanes) * k
	widen := p.table.widenFloat16
	if p.half == BFloat16 {
		widen = p.table.widenBFloat16
	}
	widen(dst[:n], p.halves[p.at(k0, j):][:n])
}

// Half is the format of p's halves, zero where p is of floats.
func (p *Packed) Half() Half { return p.half }

// Unpack returns the n×k matrix of halves that p was packed from, as floats; nil where it was
// of floats.
func (p *Packed) Unpack() []float32 {
	if p.halves == nil {
		return nil
	}
	b, panel := make([]float32, p.n*p.k), make([]float32, kBlock*p.table.tiles.Cols)
	for j := 0; j < p.n; j += p.table.tiles.Cols {
		cols := min(p.table.tiles.Cols, p.n-j)
		width := roundUp(cols, p.table.tiles.Lanes)
		for k0 := 0; k0 < p.k; k0 += kBlock {
			k := min(kBlock, p.k-k0)
			p.widen(panel, k0, k, j, cols)
			for c := range cols {
				for r := range k {
					b[(j+c)*p.k+k0+r] = panel[r*width+c]
				}
			}
		}
	}
	runtime.KeepAlive(p)
	return b
}

// widenFloat16Go: exponent and fraction moved to their places in a float32 stand for the
// value times 2⁻¹¹², and the product is exact.
func widenFloat16Go(dst []float32, src []uint16) {
	for i, h := range src {
		x := uint32(h&0x7fff) << 13
		b := math.Float32bits(math.Float32frombits(x) * 0x1p112)
		if x >= 0x7c00<<13 { // infinity or NaN
			b = x | 0x7f800000
		}
		dst[i] = math.Float32frombits(b | uint32(h&0x8000)<<16)
	}
}

func widenBFloat16Go(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = math.Float32frombits(uint32(h) << 16)
	}
}
