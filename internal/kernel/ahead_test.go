package kernel

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// TestAhead: a block asks for all of B that it packs or reads next, and of an A that lies transposed
// and is read in place.
func TestAhead(t *testing.T) {
	const n, k = 150, 2*kBlock + 70
	for _, name := range []string{"NN", "NT", "TN", "packed"} {
		for _, m := range []int{40, blockRows + 60} {
			p := product{aT: name == "TN", bT: name == "NT", m: m, n: n, k: k, to: k, a: make([]float32, m*k), b: make([]float32, n*k), lda: k, ldb: n}
			switch name {
			case "TN":
				p.lda = m
			case "NT":
				p.ldb = k
			case "packed":
				p.packed = Pack(NN, n, k, p.b, n)
			}
			t.Run(fmt.Sprintf("%s, %d rows", name, m), func(t *testing.T) { checkAhead(t, &p) })
		}
	}
}

// TestBeside: a tile's panels ask for every line of a stream, one for every other k.
func TestBeside(t *testing.T) {
	data := make([]float32, 1<<16)
	for _, lines := range []int{1, 100, 128, 192, 256} {
		for _, panels := range []int{2, 3, 16, 32} {
			x := asm.Tile{K: kBlock, A: &data[0], Panel: 6144, Panels: panels}
			stream{&data[100], 128, lines}.beside(&x)
			asked := map[int]bool{}
			at := x.Ahead - 400
			for range panels {
				for i := range x.K / 2 {
					asked[at+i*x.Line] = true
				}
				at += x.Panel + x.Step
			}
			for i := range lines {
				if !asked[128*i] {
					t.Fatalf("%d panels do not ask for line %d of %d", panels, i, lines)
				}
			}
		}
	}
}

func checkAhead(t *testing.T, p *product) {
	cols := p.table().tiles.Cols
	for k0 := 0; k0+kBlock < p.k; k0 += kBlock {
		told := map[uintptr]bool{} // lines of the cache
		for r := 0; r < p.m; r += blockRows {
			for q := 0; q < p.n; q += cols {
				var streams [64]stream
				for _, s := range p.ahead(streams[:0], 0, p.m, 0, p.n, k0, r, q) {
					for i := range s.lines {
						told[(uintptr(unsafe.Pointer(s.at))+uintptr(i*s.line))/64] = true
					}
				}
			}
		}
		// Where a row does not begin with a line, the last may be missing.
		wanted := func(what string, x []float32) {
			for i := range x {
				if line := uintptr(unsafe.Pointer(&x[i])) / 64; !told[line] && !told[line-1] {
					t.Fatalf("beside k %d: number %d of %s was not asked for", k0, i, what)
				}
			}
		}
		next := k0 + kBlock
		k := min(kBlock, p.k-next)
		switch {
		case p.packed != nil && p.m <= blockRows: // TestNextPanel
		case p.packed != nil:
			wanted("the packed B", p.packed.panel(next, 0)[:k*p.n])
		case p.bT:
			for j := range p.n {
				wanted("B's column", p.b[j*p.ldb+next:][:k])
			}
		default:
			for i := range k {
				wanted("B's row", p.b[(next+i)*p.ldb:][:p.n])
			}
		}
		for i := range k {
			if p.aT {
				wanted("A's row", p.a[(next+i)*p.lda:][:min(p.m, blockRows)])
			}
		}
	}
}
