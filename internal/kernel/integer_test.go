package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

// specified is GemmQuantized by its definition.
func specified(m, n, k int, a []float32, lda int, at func(i, j int) float32, bias []float32) []float32 {
	c := make([]float32, m*n)
	for j := range n {
		var largest float32
		for i := range k {
			largest = max(largest, float32(math.Abs(float64(at(i, j)))))
		}
		for r := range m {
			row := a[r*lda:][:k]
			var most float32
			for _, v := range row {
				most = max(most, float32(math.Abs(float64(v))))
			}
			sum := int64(0)
			for i, v := range row {
				sum += int64(math.RoundToEven(float64(v*(127/most)))) * int64(math.RoundToEven(float64(at(i, j)*(63/largest))))
			}
			c[r*n+j] = float32(float32(sum)*float32((most/127)*(largest/63))) + bias[j]
		}
	}
	return c
}

// TestGemmQuantized: every instruction set gives the bits of the definition, for products
// of any shape and for B in both layouts.
func TestGemmQuantized(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(8, 8))
		for _, s := range [][3]int{{1, 1, 1}, {2, 3, 5}, {3, 17, 31}, {5, 32, 32}, {7, 40, 33}, {9, 300, 64}, {70, 33, 100}, {8, 16, 4}, {15, 31, 768}} {
			m, n, k := s[0], s[1], s[2]
			a, b, bias := fenced(random(r, m*(k+3)-3), 1), random(r, n*k), fenced(random(r, n), 2)
			for i := range b {
				b[i] *= float32(1 + i%7)
			}
			for _, l := range []Layout{NN, NT} {
				at, ldb := func(i, j int) float32 { return b[i*n+j] }, n
				if l == NT {
					at, ldb = func(i, j int) float32 { return b[j*k+i] }, k
				}
				c := fenced(make([]float32, m*(n+1)-1), 5)
				GemmQuantized(m, a.x, k+3, Quantize(l, n, k, b, ldb), bias.x, c.x, n+1)
				name := fmt.Sprintf("layout %d, %d×%d×%d", l, m, n, k)
				c.check(t, name)
				want := specified(m, n, k, a.x, k+3, at, bias.x)
				for i := range m {
					sameBits(t, name, c.x[i*(n+1):][:n], want[i*n:][:n])
				}
			}
		}
	})
}

// TestQuantizedTiles: every number of rows that a tile has, with one panel and several, full and
// not, gives each row the bits that it has alone, and what comes next finds every block complete.
func TestQuantizedTiles(t *testing.T) {
	const k = 36
	r := rand.New(rand.NewPCG(12, 12))
	b, bias := Quantize(NT, 80, k, random(r, 80*k), k), random(r, 80)
	narrow := map[int]*Quantized{80: b}
	for _, n := range []int{16, 19, 48} {
		narrow[n] = &Quantized{n: n, k: k, data: b.data, scale: b.scale, none: b.none, shift: b.shift}
	}
	a := random(r, 70*k)
	eachISA(t, func(t *testing.T) {
		want := make([]float32, 70*80)
		for i := range 70 {
			GemmQuantized(1, a[i*k:], k, b, bias, want[i*80:], 80)
		}
		for m := 1; m <= 70; m++ {
			for n, b := range narrow {
				c, told := fenced(make([]float32, m*n), 3), make([]atomic.Int32, m*n)
				name := fmt.Sprintf("%d rows, %d columns", m, n)
				GemmQuantizedThen(m, a, k, b, bias[:n], c.x, n, func(row, rows, col, cols int) {
					for i := row; i < row+rows; i++ {
						for j := col; j < col+cols; j++ {
							if told[i*n+j].Add(1) != 1 || c.x[i*n+j] != want[i*80+j] {
								t.Errorf("%s: element %d, %d is %g, told of %d times, want %g, once", name, i, j, c.x[i*n+j], told[i*n+j].Load(), want[i*80+j])
							}
						}
					}
				})
				c.check(t, name)
				for i := range told {
					if told[i].Load() != 1 {
						t.Fatalf("%s: element %d was told of %d times", name, i, told[i].Load())
					}
				}
			}
		}
	})
}

// TestQuantizedExtremes: the largest integers of all fill the sums without saturating, rows
// of zeros and tiny numbers are zeros, and what is not finite stays so in its row or column.
func TestQuantizedExtremes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const n, k = 19, 96
		b, a, c := make([]float32, n*k), make([]float32, 6*k), make([]float32, 6*n)
		for i := range b {
			b[i] = 1
		}
		b[5*k+3] = float32(math.Inf(1))
		for i := range k {
			a[i], a[k+i], a[3*k+i] = 2, -2, 1e-38
		}
		a[4*k+95], a[5*k+1] = float32(math.NaN()), float32(math.Inf(-1))
		GemmQuantized(6, a, k, Quantize(NT, n, k, b, k), nil, c, n)
		for i, want := range []float32{2 * k, -2 * k, 0, 0} {
			for j := range n {
				if got := c[i*n+j]; j == 5 && got == got || j != 5 && !(math.Abs(float64(got-want)) <= 1e-5*2*k) {
					t.Errorf("row %d, column %d: got %g, want %g, NaN in column 5", i, j, got, want)
				}
			}
		}
		for i, v := range c[4*n:] {
			if v == v {
				t.Errorf("element %d of a row that is not finite: %g", i, v)
			}
		}
	})
}

// TestQuantizedNear: of rows and columns without outliers the product is the exact one
// within what rounding to 127 and 63 steps gives at random.
func TestQuantizedNear(t *testing.T) {
	const m, n, k = 40, 50, 512
	r := rand.New(rand.NewPCG(9, 9))
	a, b := random(r, m*k), random(r, n*k)
	c, exact := make([]float32, m*n), make([]float32, m*n)
	GemmQuantized(m, a, k, Quantize(NT, n, k, b, k), nil, c, n)
	Gemm(NT, m, n, k, 1, a, k, b, k, 0, exact, n)
	var wrong, size float64
	for i, v := range exact {
		wrong += math.Pow(float64(c[i]-v), 2)
		size += float64(v) * float64(v)
	}
	// Uniform numbers up to 1 have the square 1/3, rounding errors (1/63)²/12 and (1/127)²/12.
	if want := math.Sqrt((1.0/63/63 + 1.0/127/127) / 12 * 3); !(math.Abs(math.Sqrt(wrong/size)/want-1) <= 0.1) {
		t.Errorf("the relative error is %g, want %g", math.Sqrt(wrong/size), want)
	}
}

func BenchmarkGemmQuantized(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range [][3]int{{50, 3072, 768}, {1576, 3072, 768}, {1576, 768, 3072}, {77, 512, 2048}} {
		m, n, k := s[0], s[1], s[2]
		x, w, c := random(r, m*k), random(r, n*k), make([]float32, m*n)
		bias := make([]float32, n)
		for _, t := range available[1:] {
			restore, err := ForceISA(t.name)
			if err != nil {
				b.Fatal(err)
			}
			q, p := Quantize(NT, n, k, w, k), Pack(NT, n, k, w, k)
			rate := func(b *testing.B) {
				b.ReportMetric(float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			}
			b.Run(fmt.Sprintf("%s/%v/int8", t.name, s), func(b *testing.B) {
				for b.Loop() {
					GemmQuantized(m, x, k, q, bias, c, n)
				}
				rate(b)
			})
			b.Run(fmt.Sprintf("%s/%v/float32", t.name, s), func(b *testing.B) {
				for b.Loop() {
					GemmPacked(m, 1, x, k, p, bias, 0, c, n)
				}
				rate(b)
			})
			restore()
		}
	}
}

// TestQuantizedOutliers: numbers that stand far out of a row, or that are met by small
// weights, leave the others their steps, with the same bits on every instruction set, alone and
// beside other rows.
func TestQuantizedOutliers(t *testing.T) {
	const m, n, k = 9, 40, 384
	r := rand.New(rand.NewPCG(5, 5))
	gauss := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	for name, small := range map[string]float32{"weights like the others'": 1, "small weights": 1. / 128} {
		a, b := gauss(m*k), gauss(n*k)
		for _, column := range []int{7, 200, 383} {
			for i := range m {
				a[i*k+column] *= 150
			}
			for j := range n {
				b[j*k+column] *= small
			}
		}
		var first []float32
		eachISA(t, func(t *testing.T) {
			q, c := QuantizeWeights(NT, n, k, b, k), make([]float32, m*n)
			GemmQuantized(m, a, k, q, nil, c, n)
			if first == nil {
				first = c
			}
			sameBits(t, name, c, first)
			for i := range m {
				alone := make([]float32, n)
				GemmQuantized(1, a[i*k:], k, q, nil, alone, n)
				sameBits(t, name+", alone", alone, c[i*n:][:n])
			}
			var wrong, naive, whole float64
			for i := range m {
				for j := range n {
					exact, usual := 0.0, 0.0
					for p := range k {
						exact += float64(a[i*k+p]) * float64(b[j*k+p])
						if p != 7 && p != 200 && p != 383 { // what a step of the outliers' size leaves of the others
							const step = 450. / 127
							usual += step * math.Round(float64(a[i*k+p])/step) * float64(b[j*k+p])
						} else {
							usual += float64(a[i*k+p]) * float64(b[j*k+p])
						}
					}
					wrong += math.Pow(float64(c[i*n+j])-exact, 2)
					naive += math.Pow(usual-exact, 2)
					whole += exact * exact
				}
			}
			if got := math.Sqrt(wrong / whole); !(got <= 0.03) {
				t.Errorf("%s: differs by %g of its size, want 0.03 or less", name, got)
			}
			if small < 1 && !(math.Sqrt(naive/whole) >= 0.3) {
				t.Errorf("the outliers are none: %g", math.Sqrt(naive/whole))
			}
		})
	}
}
