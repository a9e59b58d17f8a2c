package kernel

import (
	"runtime"
	"testing"
)

// TestCut: cores that take tasks one after the other end within a few hundredths of each other, also
// where the columns are no multiple of a task's.
func TestCut(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	eachISA(t, func(t *testing.T) {
		for _, m := range []int{77, 257, 616, 2056} {
			for _, n := range []int{512, 1024, 2048, 3072, 4096} {
				for _, k := range []int{512, 1024, 4096} {
					p := product{m: m, n: n, k: k, stripM: m, to: k, packed: &Packed{n: n, k: k, table: isa}}
					rows, cols := p.cut()
					down, across := blocks(m, rows), blocks(n, cols)
					var busy [2]int
					for i := range down * across {
						core := 0
						if busy[1] < busy[0] {
							core = 1
						}
						busy[core] += min(rows, m-i%down*rows) * min(cols, n-i/down*cols)
					}
					if got, want := max(busy[0], busy[1]), m*n/2; !(got <= want+want/40) {
						t.Errorf("%d×%d×%d in tasks of %d×%d: a core does %d, want %d and a fortieth more", m, n, k, rows, cols, got, want)
					}
				}
			}
		}
	})
}
