package kernel

import "fmt"

// checkMatrix panics unless x holds rows×cols elements with rows ld apart.
func checkMatrix(name string, x []float32, rows, cols, ld int) {
	if rows < 0 || cols < 0 || ld < cols {
		panic(fmt.Sprintf("kernel: %s is %d×%d with rows %d apart", name, rows, cols, ld))
	}
	if rows > 0 && cols > 0 && (len(x) < cols || (len(x)-cols)/ld < rows-1) {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d×%d with rows %d apart", name, len(x), rows, cols, ld))
	}
}

func checkBeta(beta float32) {
	if beta != 0 && beta != 1 {
		panic(fmt.Sprintf("kernel: beta %v, want 0 or 1", beta))
	}
}

func checkBias(bias []float32, n int) {
	if bias != nil {
		checkLen("bias", bias, n)
	}
}

// checkLen panics unless x has exactly n elements.
func checkLen(name string, x []float32, n int) {
	if len(x) != n {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d", name, len(x), n))
	}
}

// checkAtLeast panics unless x has n elements or more.
func checkAtLeast(name string, x []float32, n int) {
	if len(x) < n {
		panic(fmt.Sprintf("kernel: %s has %d elements, want at least %d", name, len(x), n))
	}
}

// checkRows panics unless x has rows·cols elements.
func checkRows(name string, x []float32, rows, cols int) {
	if rows < 0 || cols < 0 || cols > 0 && (len(x)/cols != rows || len(x)%cols != 0) || cols == 0 && len(x) != 0 {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d×%d", name, len(x), rows, cols))
	}
}
