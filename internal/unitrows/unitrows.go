// Package unitrows checks that the rows of a matrix are L2-normalised, as
// embeddings are.
package unitrows

import (
	"fmt"
	"math"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Tolerance is how far from 1 the length of a normalised row may be: that of one
// stored in half precision is within 2^-11.
const Tolerance = 1e-3

// First returns the first of rows of dim numbers that is not normalised, or -1. A
// row with a NaN or an infinity is not.
func First(rows []float32, dim int) int {
	const block = 1024
	n := len(rows) / dim
	first := make([]int, (n+block-1)/block)
	parallel.For(len(first), func(b int) {
		first[b] = -1
		for i := b * block; i < min(n, (b+1)*block); i++ {
			if !(math.Abs(length(rows[i*dim:(i+1)*dim])-1) <= Tolerance) {
				first[b] = i
				return
			}
		}
	})
	for _, i := range first {
		if i >= 0 {
			return i
		}
	}
	return -1
}

func length(row []float32) float64 { return math.Sqrt(float64(kernel.Dot(row, row))) }

// Fault says what is wrong with a row that [First] found.
func Fault(row []float32) string {
	return fmt.Sprintf("has an embedding of length %.4g, want 1: is it normalised?", length(row))
}
