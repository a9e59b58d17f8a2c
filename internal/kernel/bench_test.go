package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// gemmShapes are the products of a ViT-B/32 block, forward and backward, for
// 400 and 1,600 rows: 8 and 32 pictures of 50 patches.
var gemmShapes = func() (s []gemmShape) {
	for _, rows := range []int{400, 1600} {
		for _, x := range []struct {
			name    string
			out, in int
		}{{"qkv", 2304, 768}, {"out", 768, 768}, {"fc", 3072, 768}, {"proj", 768, 3072}} {
			s = append(s,
				gemmShape{x.name, NT, rows, x.out, x.in},
				gemmShape{x.name + "-dx", NN, rows, x.in, x.out},
				gemmShape{x.name + "-dw", TN, x.out, x.in, rows})
		}
	}
	return s
}()

type gemmShape struct {
	name    string
	l       Layout
	m, n, k int
}

func (s gemmShape) String() string {
	return fmt.Sprintf("%s/%s-%dx%dx%d", s.name, [...]string{"NN", "NT", "TN"}[s.l], s.m, s.n, s.k)
}

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range gemmShapes {
		b.Run(s.String(), func(b *testing.B) {
			x := randomMatrices(r, s.l, s.m, s.n, s.k, 0)
			b.ReportAllocs()
			for b.Loop() {
				Gemm(s.l, s.m, s.n, s.k, 1, x.a, x.lda, x.b, x.ldb, 0, x.c, x.ldc)
			}
			reportFlops(b, s.m, s.n, s.k)
		})
	}
}

func reportFlops(b *testing.B, m, n, k int) {
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
