package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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

// unwritten fills C with NaN, which beta 0 must not read.
func (x *matrices) unwritten() {
	for i := range x.c {
		x.c[i] = canary
	}
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
	if isa == &portable {
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
			run("GemmPacked, lent", bias, func(a, b, bias, c []float32) {
				p := PackLent(x.l, x.n, x.k, b, x.ldb)
				GemmPacked(x.m, x.alpha, a, x.lda, p, bias, x.beta, c, x.ldc)
				for i := range p.lent.data { // what is lent next is full of what was there
					p.lent.data[i] = float32(math.NaN())
				}
				p.Release()
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

// asSpecified holds every variant to the specified sum, bit for bit.
func (x *matrices) asSpecified(t *testing.T, offset int) {
	t.Helper()
	plain, biased := x.want(nil), x.want(x.bias)
	x.variants(t, offset, func(name string, bias, c []float32) {
		t.Helper()
		if bias == nil {
			sameBits(t, name, c, plain)
		} else {
			sameBits(t, name+", bias", c, biased)
		}
	})
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
				for _, ab := range [][2]float32{{1, 0}, {-0.3, 1}, {1, 1}, {0.125, 0}} {
					if testing.Short() && ab[0] > 0 && s[0]*s[1]*s[2] > 50000 {
						continue
					}
					x := randomMatrices(r, l, s[0], s[1], s[2], n%4)
					x.alpha, x.beta = ab[0], ab[1]
					if x.beta == 0 {
						x.unwritten()
					}
					x.asSpecified(t, n%16)
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
			top = 7
		}
		for m := range top {
			for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 97} {
				for _, k := range []int{0, 1, 2, 3, 7, 8, 9, 12} {
					x := randomMatrices(r, Layout((m+n+k)%3), m, n, k, (m+k)%3)
					if x.beta = float32((m + n) % 2); x.beta == 0 {
						x.unwritten()
					}
					x.asSpecified(t, (m+n+k)%16)
				}
			}
		}
	})
}

// exact returns an element of the product in float64, and the sum of the sizes
// of its terms.
func (x *matrices) exact(i, j int, bias []float32) (want, size float64) {
	term := func(y float64) { want, size = want+y, size+math.Abs(y) }
	if x.beta == 1 {
		term(float64(x.c[i*x.ldc+j]))
	}
	if bias != nil {
		term(float64(bias[j]))
	}
	for p := range x.k {
		term(float64(x.alpha) * float64(x.at(i, p)) * float64(x.bt(p, j)))
	}
	return want, size
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
			x.alpha = 0.5
			for i := range x.m {
				for j := range x.n {
					want, size := x.exact(i, j, nil)
					tol := float64(x.k) * eps32 * size
					if diff := math.Abs(float64(c[i*x.ldc+j]) - want); !(diff <= tol) {
						t.Fatalf("layout %d: c[%d,%d] = %v, want %v ± %v", l, i, j, c[i*x.ldc+j], want, tol)
					}
				}
			}
		}
	})
}

// TestGemmSpecials: NaN, infinities, −0 and denormals go where the sums take
// them, and nowhere else.
func TestGemmSpecials(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, l := range []Layout{NN, NT, TN} {
			x := randomMatrices(r, l, 19, 53, 20, 0)
			for _, v := range specials {
				x.a[r.IntN(len(x.a))], x.b[r.IntN(len(x.b))] = v, v
			}
			x.asSpecified(t, 1)
		}
	})
}

// TestGemmRowsStandAlone: a row of C does not depend on the rows beside it, the
// number of cores, or other products at the same time; nor on zeros that
// lengthen k within a block.
func TestGemmRowsStandAlone(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		x := randomMatrices(r, NT, 411, 203, 200, 0)
		const long = 256
		packed := Pack(NT, x.n, x.k, x.b, x.ldb)
		want := make([]float32, len(x.c))
		GemmPacked(x.m, 1, x.a, x.lda, packed, x.bias, 0, want, x.ldc)
		for _, procs := range []int{1, 3, 8} {
			runtime.GOMAXPROCS(procs)
			var wg sync.WaitGroup
			results := make([][]float32, 3)
			for g := range results {
				wg.Add(1)
				go func() {
					defer wg.Done()
					c := make([]float32, len(want))
					GemmBias(NT, x.m, x.n, x.k, x.a, x.lda, x.b, x.ldb, x.bias, c, x.ldc)
					results[g] = c
				}()
			}
			wg.Wait()
			for _, c := range results {
				sameBits(t, fmt.Sprintf("GOMAXPROCS %d", procs), c, want)
			}
		}
		for _, m := range []int{1, 2, 7, 50, 200} {
			c := make([]float32, m*x.ldc)
			GemmPacked(m, 1, x.a[3*x.lda:], x.lda, packed, x.bias, 0, c, x.ldc)
			sameBits(t, fmt.Sprintf("%d rows", m), c, want[3*x.ldc:][:len(c)])
		}
		a, b := make([]float32, x.m*long), make([]float32, x.n*long)
		for i := range x.m {
			copy(a[i*long:], x.a[i*x.lda:][:x.k])
		}
		for j := range x.n {
			copy(b[j*long:], x.b[j*x.ldb:][:x.k])
		}
		c := make([]float32, len(want))
		GemmBias(NT, x.m, x.n, long, a, long, b, long, x.bias, c, x.ldc)
		sameBits(t, "k padded with zeros", c, want)
	})
}

// TestGemmStrips goes through products of several strips of rows.
func TestGemmStrips(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		if testing.Short() && isa == &portable {
			t.Skip("slow without assembly")
		}
		r := rand.New(rand.NewPCG(11, 12))
		for _, rows := range []int{stripRows + 9, 4*nearRows + 1} { // two strips of rows; one
			deep := stripLen / min(rows, stripRows) / kBlock * kBlock
			x := randomMatrices(r, TN, rows, 5, deep+kBlock+9, 1)
			biased := x.want(x.bias)
			told := make([]atomic.Int32, x.m)
			c := append([]float32(nil), x.c...)
			GemmBiasThen(TN, x.m, x.n, x.k, x.a, x.lda, x.b, x.ldb, x.bias, c, x.ldc, func(row, rows, _, cols int) {
				for i := row; i < row+rows; i++ {
					told[i].Add(int32(cols))
				}
			})
			sameBits(t, "strips, bias", c, biased)
			for i := range told {
				if got := told[i].Load(); got != int32(x.n) {
					t.Fatalf("of row %d %d elements were told of, want %d", i, got, x.n)
				}
			}
			x.beta = 1
			want := x.want(nil)
			Gemm(x.l, x.m, x.n, x.k, 1, x.a, x.lda, x.b, x.ldb, 1, x.c, x.ldc)
			sameBits(t, "strips", x.c, want)
		}
	})
}

func TestGemmAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, m := range []int{72, 288} {
		x := randomMatrices(r, NT, m, 64, 256, 0)
		p := Pack(NT, x.n, x.k, x.b, x.ldb)
		for name, f := range map[string]func(){
			"Gemm":       func() { Gemm(x.l, x.m, x.n, x.k, 1, x.a, x.lda, x.b, x.ldb, 0, x.c, x.ldc) },
			"GemmPacked": func() { GemmPacked(x.m, 1, x.a, x.lda, p, x.bias, 0, x.c, x.ldc) },
			"GemmSerial": func() { GemmSerial(x.l, x.m, x.n, x.k, 1, x.a, x.lda, x.b, x.ldb, 0, x.c, x.ldc) },
		} {
			if got := testing.AllocsPerRun(20, f); got > 20 {
				t.Errorf("%s of %d rows: %v allocations, want a few whatever the size", name, m, got)
			}
		}
	}
}

// TestShortSlicesPanic: every slice that is too short is caught before assembly
// runs over its end.
func TestShortSlicesPanic(t *testing.T) {
	x := make([]float32, 64)
	y := x[:63]
	for name, f := range map[string]func(){
		"kernel: a":      func() { Gemm(NN, 8, 8, 8, 1, y, 8, x, 8, 0, x, 8) },
		"kernel: b":      func() { GemmSerial(NT, 8, 8, 8, 1, x, 8, y, 8, 0, x, 8) },
		"kernel: c":      func() { GemmBias(TN, 8, 8, 8, x, 8, x, 8, nil, y, 8) },
		"kernel: bias":   func() { GemmPacked(8, 1, x, 8, Pack(NN, 8, 8, x, 8), y, 0, x, 8) },
		"kernel: beta":   func() { Gemm(NN, 8, 8, 8, 1, x, 8, x, 8, 0.5, x, 8) },
		"kernel: layout": func() { Gemm(TN+1, 8, 8, 8, 1, x, 8, x, 8, 0, x, 8) },
		"kernel: cannot": func() { Pack(TN, 8, 8, x, 8) },
		"kernel: a is":   func() { Gemm(NN, 8, 8, 8, 1, x, 7, x, 8, 0, x, 8) },
		"kernel: dst":    func() { Activate(GELU, y, x) },
		"kernel: unknow": func() { Activate(SiLU+1, x, x) },
		"kernel: dy":     func() { ActivateBackward(GELU, x, x, y) },
		"kernel: x":      func() { Axpy(x, 1, y) },
		"kernel: row":    func() { AddRows(x, x, y, 1, 64) },
		"kernel: x ":     func() { ColSum(x, y, 1, 64) },
		"kernel: dp":     func() { SoftmaxBackward(x, x, y, 1) },
		"kernel: dst ":   func() { Softmax(y, x) },
		"kernel: mean":   func() { LayerNorm(x, x, x, x, 1, 64, 1, x, nil) },
		"kernel: rstd":   func() { LayerNormBackward(x, x, x, x, x[:1], x, 1, 64) },
		"kernel: dbeta":  func() { LayerNormBackwardParams(x, y, x, x, x[:1], x[:1], 1, 64) },
		"kernel: v":      func() { AdamW(x, x, x, y, AdamWStep{}) },
		"kernel: b ":     func() { Dot(x, y) },
	} {
		func() {
			defer func() {
				if v, _ := recover().(string); !strings.HasPrefix(v, name) {
					t.Errorf("panic %q, want one that begins with %q", v, name)
				}
			}()
			f()
		}()
	}
}

func FuzzGemm(f *testing.F) {
	f.Add(uint8(0), uint16(8), uint16(48), uint16(256), uint8(0), uint64(1), false)
	f.Add(uint8(1), uint16(50), uint16(50), uint16(64), uint8(3), uint64(2), true)
	f.Add(uint8(2), uint16(13), uint16(97), uint16(300), uint8(1), uint64(3), true)
	f.Fuzz(func(t *testing.T, l uint8, m, n, k uint16, pad uint8, seed uint64, add bool) {
		r := rand.New(rand.NewPCG(seed, 1))
		x := randomMatrices(r, Layout(l%3), int(m%130), int(n%130), int(k%600), int(pad%8))
		if add {
			x.beta = 1
		}
		for _, i := range available {
			restore, _ := ForceISA(i.String())
			x.variants(t, int(pad%16), func(name string, bias, c []float32) {
				for i := range x.m {
					for j := range x.n {
						want, size := x.exact(i, j, bias)
						if diff := math.Abs(float64(c[i*x.ldc+j]) - want); !(diff <= float64(x.k+4)*eps32*size) {
							t.Fatalf("%s: c[%d,%d] = %v, want %v ± %v", name, i, j, c[i*x.ldc+j], want, float64(x.k+4)*eps32*size)
						}
					}
				}
			})
			restore()
		}
	})
}
