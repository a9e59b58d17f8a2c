package main

import (
	"fmt"
	"strings"

	"github.com/goclip/goclip/internal/kernel"
)

// products are matrix products: forward with packed weights ("packed"), as a
// linear layer of a loaded model computes, and the three layouts of training.
func products(c *cases) {
	add := func(layout string, m, n, k int) {
		c.add(fmt.Sprintf("%s/%dx%dx%d", layout, m, n, k), func() (work, error) {
			a, b, out := ramp(m*k), ramp(k*n), make([]float32, m*n)
			run := func() { kernel.Gemm(kernel.NN, m, n, k, 1, a, k, b, n, 0, out, n) }
			switch layout {
			case "NT":
				run = func() { kernel.Gemm(kernel.NT, m, n, k, 1, a, k, b, k, 0, out, n) }
			case "TN":
				run = func() { kernel.Gemm(kernel.TN, m, n, k, 1, a, m, b, n, 0, out, n) }
			case "packed":
				p := kernel.Pack(kernel.NT, n, k, b, k)
				run = func() { kernel.GemmPacked(m, 1, a, k, p, nil, 0, out, n) }
			}
			return work{func() error { run(); return nil }, nil}, nil
		})
	}
	for _, s := range shapes {
		for _, layout := range strings.Fields(s.layouts) {
			add(layout, s.m, s.n, s.k)
		}
	}
}

// shapes are those of the towers and of the toy model.
var shapes = []struct {
	layouts string
	m, n, k int
}{
	{"packed NT NN", 1600, 2304, 768}, {"packed NT NN", 1600, 768, 768}, {"packed NT NN", 1600, 3072, 768}, {"packed NT NN", 1600, 768, 3072},
	{"packed", 50, 2304, 768}, {"packed", 50, 768, 768}, {"packed", 50, 3072, 768}, {"packed", 50, 768, 3072},
	{"packed", 2464, 1536, 512}, {"packed", 2464, 2048, 512}, {"packed", 2464, 512, 2048},
	{"TN", 768, 3072, 1600}, {"TN", 768, 768, 1600}, {"TN", 3072, 768, 1600},
	{"packed NT NN", 8320, 768, 192}, {"packed NT NN", 8320, 192, 768}, {"packed NT NN", 8320, 576, 192}, {"TN", 192, 768, 8320}, {"TN", 768, 192, 8320},
}

// ramp is n numbers between -1 and 1.
func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%251)/125 - 1
	}
	return x
}
