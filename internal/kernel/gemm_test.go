package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// matrices is one product: its operands, and what to do with them.
type matrices struct {
	l             Layout
	m, n, k       int
	lda, ldb, ldc int
	alpha, beta   float32
	a, b, c, bias []float32
}

func randomMatrices(r *rand.Rand, l Layout, m, n, k, pad int) *matrices {
	x := &matrices{l: l, m: m, n: n, k: k, lda: k + pad, ldb: n + pad, ldc: n + pad, alpha: 1}
	arows, brows := m, k
	if l == TN {
		arows, x.lda = k, m+pad
	}
	if l == NT {
		brows, x.ldb = n, k+pad
	}
	x.a = random(r, max(0, arows*x.lda-pad))
	x.b = random(r, max(0, brows*x.ldb-pad))
	x.c = random(r, max(0, m*x.ldc-pad))
	x.bias = random(r, n)
	return x
}

func (x *matrices) at(i, p int) float32 {
	if x.l == TN {
		return x.a[p*x.lda+i]
	}
	return x.a[i*x.lda+p]
}

func (x *matrices) bt(p, j int) float32 {
	if x.l == NT {
		return x.b[j*x.ldb+p]
	}
	return x.b[p*x.ldb+j]
}

// want is the order of every sum, spelled out: one chain of fused additions for
// each block of k, joined to what is there in another.
func (x *matrices) want(bias []float32) []float32 {
	mulAdd := fma
	if isa == portable {
		mulAdd = func(a, b, c float32) float32 { return a*b + c }
	}
	c := append([]float32(nil), x.c...)
	for i := range x.m {
		for j := range x.n {
			var y float32
			there := false
			if x.beta == 1 {
				y, there = c[i*x.ldc+j], true
			}
			if bias != nil {
				if there {
					y += bias[j]
				} else {
					y, there = bias[j], true
				}
			}
			for k0 := 0; k0 < x.k; k0 += kBlock {
				var sum float32
				for p := k0; p < min(x.k, k0+kBlock); p++ {
					sum = mulAdd(x.at(i, p), x.bt(p, j), sum)
				}
				if there {
					y = mulAdd(x.alpha, sum, y)
				} else {
					y, there = x.alpha*sum, true
				}
			}
			c[i*x.ldc+j] = y
		}
	}
	return c
}

// variants runs every function that computes the product and hands each result
// to check.
func (x *matrices) variants(t *testing.T, offset int, check func(name string, bias, c []float32)) {
	t.Helper()
	run := func(name string, bias []float32, f func(a, b, bias, c []float32)) {
		t.Helper()
		a, b, c := fenced(x.a, offset), fenced(x.b, offset), fenced(x.c, offset)
		var g *fence
		if bias != nil {
			g = fenced(bias, offset)
			bias = g.x
		}
		f(a.x, b.x, bias, c.x)
		name = fmt.Sprintf("%s layout %d, %d×%d×%d, alpha %v, beta %v", name, x.l, x.m, x.n, x.k, x.alpha, x.beta)
		for _, f := range []*fence{a, b, c} {
			f.check(t, name)
		}
		sameBits(t, name+": a", a.x, x.a)
		sameBits(t, name+": b", b.x, x.b)
		check(name, bias, c.x)
	}
	run("Gemm", nil, func(a, b, _, c []float32) {
		Gemm(x.l, x.m, x.n, x.k, x.alpha, a, x.lda, b, x.ldb, x.beta, c, x.ldc)
	})
	run("Gemm blocked", nil, func(a, b, _, c []float32) {
		p := product{aT: x.l == TN, m: x.m, n: x.n, k: x.k, alpha: x.alpha, a: a, lda: x.lda, beta: x.beta, c: c, ldc: x.ldc}
		p.packed = Pack(x.l.forPack(), x.n, x.k, b, x.ldb)
		p.run()
	})
	run("GemmSerial", nil, func(a, b, _, c []float32) {
		GemmSerial(x.l, x.m, x.n, x.k, x.alpha, a, x.lda, b, x.ldb, x.beta, c, x.ldc)
	})
	if x.l != TN {
		for _, bias := range [][]float32{nil, x.bias} {
			run("GemmPacked", bias, func(a, b, bias, c []float32) {
				GemmPacked(x.m, x.alpha, a, x.lda, Pack(x.l, x.n, x.k, b, x.ldb), bias, x.beta, c, x.ldc)
			})
		}
	}
	if x.alpha == 1 && x.beta == 0 {
		for _, bias := range [][]float32{nil, x.bias} {
			run("GemmBias", bias, func(a, b, bias, c []float32) {
				GemmBias(x.l, x.m, x.n, x.k, a, x.lda, b, x.ldb, bias, c, x.ldc)
			})
		}
	}
}

func (l Layout) forPack() Layout {
	if l == NT {
		return NT
	}
	return NN
}

// TestGemmOrder: every product is the specified sum, bit for bit, whatever
// the function, layout, edge, stride and alignment.
func TestGemmOrder(t *testing.T) {
	sizes := [][3]int{
		{1, 1, 1}, {2, 3, 4}, {5, 7, 9}, {8, 48, 16}, {9, 49, 17}, {6, 16, 8}, {7, 17, 5}, {13, 95, 31},
		{50, 50, 64}, {50, 64, 50}, {77, 77, 64}, {3, 20, 255}, {4, 33, 256}, {11, 50, 257}, {17, 100, 600}, {200, 130, 33}, {49, 400, 20},
	}
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for n, s := range sizes {
			for _, l := range []Layout{NN, NT, TN} {
				for _, ab := range [][2]float32{{1, 0}, {1, 1}, {0.125, 0}, {-0.3, 1}} {
					x := randomMatrices(r, l, s[0], s[1], s[2], n%4)
					x.alpha, x.beta = ab[0], ab[1]
					plain, biased := x.want(nil), x.want(x.bias)
					x.variants(t, n%16, func(name string, bias, c []float32) {
						t.Helper()
						if bias == nil {
							sameBits(t, name, c, plain)
						} else {
							sameBits(t, name+", bias", c, biased)
						}
					})
				}
			}
		}
	})
}

// TestGemmEdges covers every size from 0 to past a tile, in all layouts.
func TestGemmEdges(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		top := 20
		if testing.Short() {
			top = 9
		}
		for m := range top {
			for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 97} {
				for _, k := range []int{0, 1, 2, 3, 7, 8, 9, 12} {
					x := randomMatrices(r, Layout((m+n+k)%3), m, n, k, (m+k)%3)
					x.beta = float32((m + n) % 2)
					plain, biased := x.want(nil), x.want(x.bias)
					if k == 0 && x.beta == 0 {
						for i := range m {
							clear(plain[i*x.ldc : i*x.ldc+n])
						}
					}
					x.variants(t, (m+n+k)%16, func(name string, bias, c []float32) {
						t.Helper()
						if bias == nil {
							sameBits(t, name, c, plain)
						} else {
							sameBits(t, name+", bias", c, biased)
						}
					})
				}
			}
		}
	})
}

// TestGemmAgainstFloat64: the error stays within k·ε·Σ|aᵢbᵢ|.
func TestGemmAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, l := range []Layout{NN, NT, TN} {
			x := randomMatrices(r, l, 210, 205, 777, 3)
			x.beta = 1
			c := append([]float32(nil), x.c...)
			Gemm(l, x.m, x.n, x.k, 0.5, x.a, x.lda, x.b, x.ldb, 1, c, x.ldc)
			for i := range x.m {
				for j := range x.n {
					want := float64(x.c[i*x.ldc+j])
					size := math.Abs(want)
					for p := range x.k {
						y := 0.5 * float64(x.at(i, p)) * float64(x.bt(p, j))
						want += y
						size += math.Abs(y)
					}
					tol := float64(x.k) * size / (1 << 24)
					if diff := math.Abs(float64(c[i*x.ldc+j]) - want); !(diff <= tol) {
						t.Fatalf("layout %d: c[%d,%d] = %v, want %v ± %v", l, i, j, c[i*x.ldc+j], want, tol)
					}
				}
			}
		}
	})
}
