package kernel

import (
	"runtime"

	"github.com/goclip/goclip/internal/parallel"
)

// chunk is the length at which element-wise work is cut: into tasks for the
// cores, and because the runtime cannot preempt assembly.
const chunk = 16 << 10

// columnStrip is the number of columns that a task adds up.
const columnStrip = 128

// chunks calls f with consecutive ranges that cover [0, n), in parallel.
func chunks(n int, f func(i, j int)) {
	if n <= chunk {
		if n > 0 {
			f(0, n)
		}
		return
	}
	parallel.For(blocks(n, chunk), func(c int) { f(c*chunk, min(n, c*chunk+chunk)) })
}

// pieces is chunks on one goroutine, in ascending order.
func pieces(n int, f func(i, j int)) {
	for i := 0; i < n; i += chunk {
		f(i, min(n, i+chunk))
	}
}

// rowChunks calls f for every row in [0, rows), in parallel where there is
// enough to do.
func rowChunks(rows, cols int, f func(i int)) {
	group := evenly(rows, max(1, chunk/max(cols, 1)))
	parallel.For(blocks(rows, group), func(g int) {
		for i := g * group; i < min(rows, g*group+group); i++ {
			f(i)
		}
	})
}

// evenly is how many of n items a task has, one to most, that the cores end together.
func evenly(n, most int) int {
	tasks := blocks(n, most)
	if tasks > 1 {
		tasks = roundUp(tasks, runtime.GOMAXPROCS(0))
	}
	return max(1, blocks(n, max(tasks, 1)))
}

// strips calls f with consecutive ranges of columns, in parallel.
func strips(cols int, f func(j0, j1 int)) {
	parallel.For(blocks(cols, columnStrip), func(s int) {
		f(s*columnStrip, min(cols, s*columnStrip+columnStrip))
	})
}

func blocks(n, size int) int { return (n + size - 1) / size }

func roundUp(x, to int) int { return (x + to - 1) / to * to }
