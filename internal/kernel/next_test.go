package kernel

import "testing"

// TestNextPanel: what a block asks for is the panel that it reads next, to the last.
func TestNextPanel(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {40, 300}, {blockCols, 2 * kBlock}, {blockCols + 30, 3*kBlock + 1}} {
		n, k := size[0], size[1]
		b := Pack(NN, n, k, make([]float32, n*k), n)
		p := product{m: 5, n: n, k: k, packed: b, to: k}
		for j := 0; j < n; j += blockCols {
			cols, tile := min(blockCols, n-j), b.table.tiles.Cols
			told := b.panel(0, j)
			for k0 := 0; k0 < k; k0 += kBlock {
				for q := 0; q < cols; q += tile {
					if panel := b.panel(k0, j+q); len(told) == 0 || &told[0] != &panel[0] {
						t.Fatalf("n %d, k %d: the panel of row %d and column %d was not asked for", n, k, k0, j+q)
					}
					if far := p.next(blockRows+1, k0, j, cols, q); far != nil {
						t.Fatalf("n %d, k %d: %d numbers asked for beside more rows than stay in the cache", n, k, len(far))
					}
					told = p.next(5, k0, j, cols, q)
				}
			}
			if told != nil {
				t.Fatalf("n %d, k %d: %d numbers asked for after the last panel", n, k, len(told))
			}
		}
	}
}
