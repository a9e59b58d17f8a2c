package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// gemmShapes are the products of a ViT-B/32 block, forward and backward, for
// 400 and 1,600 rows: 8 and 32 images of 50 patches.
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

// BenchmarkGemmPacked: inference, with weights packed once, for 1, 50 and 1,600 rows.
func BenchmarkGemmPacked(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, rows := range []int{1, 50, 77, 1600} {
		for _, s := range [][2]int{{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}} {
			x := randomMatrices(r, NT, rows, s[0], s[1], 0)
			p := Pack(NT, x.n, x.k, x.b, x.ldb)
			b.Run(fmt.Sprintf("%dx%dx%d", x.m, x.n, x.k), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					GemmPacked(x.m, 1, x.a, x.lda, p, x.bias, 0, x.c, x.ldc)
				}
				reportFlops(b, x.m, x.n, x.k)
			})
		}
	}
}

// BenchmarkAttention: one head of ViT-B/32 and of its text tower, forward and
// backward, in place in a packed qkv of 768 and 512.
func BenchmarkAttention(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][2]int{{50, 768}, {77, 512}} {
		l, ld := s[0], 3*s[1]
		qkv, p, o := random(r, l*ld), random(r, l*l), random(r, l*ld)
		for _, x := range []struct {
			name string
			f    func()
		}{
			{"qk", func() { GemmSerial(NT, l, l, 64, 0.125, qkv, ld, qkv[s[1]:], ld, 0, p, l) }},
			{"pv", func() { GemmSerial(NN, l, 64, l, 1, p, l, qkv[2*s[1]:], ld, 0, o, ld) }},
			{"dv", func() { GemmSerial(TN, l, 64, l, 1, p, l, qkv, ld, 0, o, ld) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", x.name, l), func(b *testing.B) {
				for b.Loop() {
					x.f()
				}
				reportFlops(b, l, l, 64)
			})
		}
	}
}

// BenchmarkElements: what a ViT-B/32 block does beside its products, on one
// chunk in cache, in ns an element.
func BenchmarkElements(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const rows, cols = 16, 768
	x, y, z := random(r, rows*cols), random(r, rows*cols), random(r, rows*cols)
	g, h, mean, rstd := random(r, cols), random(r, cols), random(r, rows), random(r, rows)
	m, v := make([]float32, rows*cols), make([]float32, rows*cols)
	step := AdamWStep{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, LR: 1e-4, Correction1: 0.5, Correction2: 0.5, GradScale: 1}
	each50 := func(f func(i, j int)) {
		for i := 0; i+50 <= len(x); i += 50 {
			f(i, i+50)
		}
	}
	for _, e := range []struct {
		name string
		f    func()
	}{
		{"Exp", func() { Exp(y, x) }},
		{"GELU", func() { Activate(GELU, y, x) }},
		{"GELUTanh", func() { Activate(GELUTanh, y, x) }},
		{"QuickGELU", func() { Activate(QuickGELU, y, x) }},
		{"SiLU", func() { Activate(SiLU, y, x) }},
		{"Mul", func() { Mul(y, x, z) }},
		{"GELU-backward", func() { ActivateBackward(GELU, y, x, z) }},
		{"GELUTanh-backward", func() { ActivateBackward(GELUTanh, y, x, z) }},
		{"QuickGELU-backward", func() { ActivateBackward(QuickGELU, y, x, z) }},
		{"Softmax-50", func() { each50(func(i, j int) { Softmax(y[i:j], x[i:j]) }) }},
		{"SoftmaxBackward-50", func() { each50(func(i, j int) { SoftmaxBackward(y[i:j], x[i:j], z[i:j], 0.125) }) }},
		{"LayerNorm", func() { LayerNorm(y, x, g, h, rows, cols, 1e-5, mean, rstd) }},
		{"LayerNormBackward", func() { LayerNormBackward(y, x, z, g, mean, rstd, rows, cols) }},
		{"LayerNormBackwardParams", func() { LayerNormBackwardParams(g, h, x, z, mean, rstd, rows, cols) }},
		{"Add", func() { Add(y, x, z) }},
		{"Axpy", func() { Axpy(y, 0.5, z) }},
		{"AddRows", func() { AddRows(y, x, g, rows, cols) }},
		{"ColSum", func() { ColSum(g, x, rows, cols) }},
		{"Dot", func() { Dot(x, z) }},
		{"SumSquares", func() { SumSquares(x) }},
		{"AllFinite", func() { AllFinite(x) }},
		{"AdamW", func() { AdamW(y, x, m, v, step) }},
	} {
		b.Run(e.name, func(b *testing.B) {
			for b.Loop() {
				e.f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/element")
		})
	}
}

func reportFlops(b *testing.B, m, n, k int) {
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
