package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestDots: products of many queries are those of Dot, to the bit, on every instruction set.
func TestDots(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 3))
		for _, dim := range []int{1, 7, 8, 31, 32, 33, 64, 100, 512, 770, chunk, chunk + 1} {
			for _, queries := range []int{0, 1, 2, 3, 4, 5, 6, 7, 13} {
				for _, n := range []int{0, 1, 2, 5} {
					q, rows, dst := fenced(random(r, queries*dim), 3), fenced(random(r, n*dim), 5), fenced(make([]float32, queries*n), 1)
					Dots(dst.x, q.x, rows.x, dim)
					dst.check(t, fmt.Sprintf("%d queries, %d rows of %d", queries, n, dim))
					for i := range queries {
						for j := range n {
							want := Dot(q.x[i*dim:][:dim], rows.x[j*dim:][:dim])
							if got := dst.x[i*n+j]; math.Float32bits(got) != math.Float32bits(want) {
								t.Fatalf("%d numbers, query %d of %d, row %d: got %v, want %v", dim, i, queries, j, got, want)
							}
						}
					}
				}
			}
		}
	})
}

func BenchmarkDots(b *testing.B) {
	const dim, rows = 512, 256
	r := rand.New(rand.NewPCG(1, 1))
	x, q := random(r, rows*dim), random(r, 32*dim)
	dst := make([]float32, 32*rows)
	for _, t := range available {
		for _, queries := range []int{1, 3, 6, 32} {
			b.Run(fmt.Sprintf("%s/%d", t.name, queries), func(b *testing.B) {
				restore, err := ForceISA(t.name)
				if err != nil {
					b.Fatal(err)
				}
				defer restore()
				for b.Loop() {
					Dots(dst[:queries*rows], q[:queries*dim], x, dim)
				}
				b.ReportMetric(2*dim*rows*float64(queries)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
