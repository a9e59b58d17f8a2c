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
			name, width, columns := fmt.Sprintf("%d×%d×%d", m, n, k), RowBytes(k), random(r, n*k)
			if m == 67 { // all as large as they may be, and so are the first row's
				for i := range columns {
					columns[i] = 1
				}
			}
			b := Quantize(NT, n, k, columns, k)
			a, scale, bias := make([]uint8, m*width), random(r, m), random(r, n)
			for i := range a {
				a[i] = [...]uint8{0, 1, 127, 128, 255, uint8(r.IntN(256))}[r.IntN(6)]
				if m == 67 && i < width {
					a[i] = 255
				}
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

// BenchmarkOneQuery multiplies 100,000 rows of 512 bytes, more than caches hold, with the two columns of one
// query, on one core: by column, and in tiles of sixteen columns.
func BenchmarkOneQuery(b *testing.B) {
	const m, k = 100_000, 512
	r := rand.New(rand.NewPCG(4, 4))
	q, bias := Quantize(NT, 2, k, random(r, 2*k), k), make([]float32, 2)
	a, scale, c := make([]uint8, m*k), random(r, m), make([]float32, 2*64)
	for i := range a {
		a[i] = uint8(i * 7)
	}
	columns := q.Columns()
	for _, t := range available[1:] {
		restore, err := ForceISA(t.name)
		if err != nil {
			b.Fatal(err)
		}
		for name, do := range map[string]func(i int){
			"columns": func(i int) { DotsColumns(c, a[i*k:][:64*k], scale[i:][:64], columns, bias) },
			"tiles":   func(i int) { DotsQuantized(c, a[i*k:][:64*k], scale[i:][:64], q, bias) },
		} {
			b.Run(t.name+"/"+name, func(b *testing.B) {
				b.SetBytes(m * k)
				for b.Loop() {
					for i := 0; i+64 <= m; i += 64 {
						do(i)
					}
				}
			})
		}
		restore()
	}
}
