package encoder

import (
	"fmt"
	"math"

	"github.com/goclip/goclip/internal/kernel"
)

// check reports numbers that do not fit the fields.
func (e *Embeddings) check() error {
	if e.N < 0 || e.Dim < 1 || len(e.Data)/e.Dim != e.N || len(e.Data)%e.Dim != 0 {
		return fmt.Errorf("embeddings hold %d numbers, want N × Dim = %d × %d", len(e.Data), e.N, e.Dim)
	}
	return nil
}

// unitTolerance is how far from 1 the length of a normalised row may be: that of
// one stored in half precision is within 2^-11.
const unitTolerance = 1e-3

// skewed returns the first of rows of dim numbers that is not normalised, or -1.
// A row with a NaN or an infinity is not.
func skewed(rows []float32, dim int) int {
	const block = 1024
	n := len(rows) / dim
	first := make([]int, (n+block-1)/block)
	kernel.Parallel(len(first), func(b int) {
		first[b] = -1
		for i := b * block; i < min(n, (b+1)*block); i++ {
			if !(math.Abs(length(rows[i*dim:(i+1)*dim])-1) <= unitTolerance) {
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

// lengthOf says what is wrong with a row that is skewed.
func lengthOf(row []float32) string {
	return fmt.Sprintf("has an embedding of length %.4g, want 1: is it normalised?", length(row))
}
