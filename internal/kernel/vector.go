package kernel

import (
	"fmt"
	"math"

	"github.com/goclip/goclip/internal/parallel"
)

// chunk is the length at which element-wise work is cut: into tasks for the
// cores, and because the runtime cannot preempt assembly.
const chunk = 16 << 10

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

// Exp computes dst = eˣ, to within one unit in the last place. dst may be x.
func Exp(dst, x []float32) {
	checkLen("dst", dst, len(x))
	chunks(len(x), func(i, j int) {
		if isa != portable {
			expVec(&dst[i], &x[i], j-i)
		} else {
			expGo(dst[i:j], x[i:j])
		}
	})
}

func expGo(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(math.Exp(float64(v)))
	}
}

// Add computes dst = a + b. dst may be a or b.
func Add(dst, a, b []float32) {
	checkLen("a", a, len(dst))
	checkLen("b", b, len(dst))
	chunks(len(dst), func(i, j int) { add(dst[i:j], a[i:j], b[i:j]) })
}

// add is Add on one goroutine.
func add(dst, a, b []float32) {
	switch {
	case len(dst) == 0:
	case isa != portable:
		addVec(&dst[0], &a[0], &b[0], len(dst))
	default:
		addGo(dst, a, b)
	}
}

func addGo(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v + b[i]
	}
}

// Axpy computes dst += alpha·x.
func Axpy(dst []float32, alpha float32, x []float32) {
	checkLen("x", x, len(dst))
	chunks(len(dst), func(i, j int) {
		if isa != portable {
			axpyVec(&dst[i], &x[i], j-i, alpha)
		} else {
			axpyGo(dst[i:j], alpha, x[i:j])
		}
	})
}

func axpyGo(dst []float32, alpha float32, x []float32) {
	for i, v := range x {
		dst[i] += alpha * v
	}
}

// AddRows adds row, (cols), to every row of x, (rows, cols). dst may be x.
func AddRows(dst, x, row []float32, rows, cols int) {
	checkRows("dst", dst, rows, cols)
	checkRows("x", x, rows, cols)
	checkLen("row", row, cols)
	rowChunks(rows, cols, func(i int) {
		add(dst[i*cols:i*cols+cols], x[i*cols:i*cols+cols], row)
	})
}

// rowChunks calls f for every row in [0, rows), in parallel where there is
// enough to do.
func rowChunks(rows, cols int, f func(i int)) {
	group := max(1, chunk/max(cols, 1))
	parallel.For(blocks(rows, group), func(g int) {
		for i := g * group; i < min(rows, g*group+group); i++ {
			f(i)
		}
	})
}

// checkRows panics unless x has rows·cols elements.
func checkRows(name string, x []float32, rows, cols int) {
	if rows < 0 || cols < 0 || cols > 0 && (len(x)/cols != rows || len(x)%cols != 0) || cols == 0 && len(x) != 0 {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d×%d", name, len(x), rows, cols))
	}
}
