package main

import (
	"fmt"

	"github.com/goclip/goclip/internal/kernel"
)

// product is a matrix product such as NT/1600x768x768, C (m×n) of k terms: forward with
// weights that were packed before, as a linear layer of a loaded model has them, or one of the
// three layouts of training.
func product(name string) (work, error) {
	var layout string
	var m, n, k int
	if _, err := fmt.Sscanf(name, "%2s/%dx%dx%d", &layout, &m, &n, &k); err != nil {
		if _, err := fmt.Sscanf(name, "packed/%dx%dx%d", &m, &n, &k); err != nil {
			return nil, fmt.Errorf("no product %q: %w", name, err)
		}
		layout = "packed"
	}
	a, b, out := ramp(m*k), ramp(k*n), kernel.Buffer(m*n)
	run := map[string]func(){
		"NN": func() { kernel.Gemm(kernel.NN, m, n, k, 1, a, k, b, n, 0, out, n) },
		"NT": func() { kernel.Gemm(kernel.NT, m, n, k, 1, a, k, b, k, 0, out, n) },
		"TN": func() { kernel.Gemm(kernel.TN, m, n, k, 1, a, m, b, n, 0, out, n) },
	}[layout]
	if layout == "packed" {
		p := kernel.Pack(kernel.NT, n, k, b, k)
		run = func() { kernel.GemmPacked(m, 1, a, k, p, nil, 0, out, n) }
	}
	if run == nil {
		return nil, fmt.Errorf("no layout %q", layout)
	}
	return func() ([]float32, error) { run(); return out, nil }, nil
}

// ramp is n numbers between -1 and 1, in memory such as a graph's machine has.
func ramp(n int) []float32 {
	x := kernel.Buffer(n)
	for i := range x {
		x[i] = float32(i%251)/125 - 1
	}
	return x
}
