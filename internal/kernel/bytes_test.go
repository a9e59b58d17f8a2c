package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestDotsQuantized: every instruction set gives the bits of the definition, at any number of
// rows and columns, and of rows and columns with the extreme bytes.
func TestDotsQuantized(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 9))
		for _, s := range [][3]int{{0, 3, 4}, {1, 1, 1}, {3, 2, 5}, {8, 16, 32}, {9, 17, 33}, {64, 32, 64}, {65, 48, 100}, {67, 2, 512}, {66, 1, 140}, {131, 3, 1024}, {70, 300, 512}} {
			m, n, k := s[0], s[1], s[2]
			name, width := fmt.Sprintf("%d×%d×%d", m, n, k), RowBytes(k)
			b := Quantize(NT, n, k, random(r, n*k), k)
			a, scale, bias := make([]uint8, m*width), random(r, m), random(r, n)
			for i := range a {
				a[i] = [...]uint8{0, 1, 127, 128, 255, uint8(r.IntN(256))}[r.IntN(6)]
				if i%width >= k {
					a[i] = 128
				}
			}
			c := fenced(make([]float32, m*n), 3)
			DotsQuantized(c.x, a, scale, b, bias)
			c.check(t, name)
			byColumn := fenced(make([]float32, m*n), 4)
			DotsColumns(byColumn.x, a, scale, b.Columns(), bias)
			byColumn.check(t, name)
			for j := range n {
				s, column := b.Column(nil, j)
				for i := range m {
					sum := 0
					for g, w := range column {
						sum += (int(a[i*width+g]) - 128) * int(w)
					}
					want := float32(float32(sum)*float32(scale[i]*s)) + bias[j]
					if got, other := c.x[i*n+j], byColumn.x[j*m+i]; got != want || other != want {
						t.Fatalf("%s: row %d, column %d: got %v and by column %v, want %v", name, i, j, got, other, want)
					}
				}
			}
		}
	})
}
