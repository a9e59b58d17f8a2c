package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// chain is the sum that the functions for depthwise convolutions make: one of fused
// multiply-adds with assembly, of products and sums in Go.
func chain(a, b, sum float32) float32 {
	if isa.name == "go" {
		return sum + float32(a*b)
	}
	return fma(a, b, sum)
}

func TestDepthwise(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 7))
		for _, c := range []int{1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100} {
			for _, k := range []Kernel2D{{Rows: 1, Cols: 1, Stride: 1}, {Rows: 3, Cols: 3, Stride: 1}, {Rows: 3, Cols: 2, Stride: 2}, {Rows: 7, Cols: 7, Stride: 2}} {
				for _, n := range []int{0, 1, 3, 4, 5, 9} {
					k.Channels, k.Pitch = c, (n*k.Stride+k.Cols)*c+5
					used := max(0, ((n-1)*k.Stride+k.Cols)*c+(k.Rows-1)*k.Pitch)
					x, w := fenced(random(r, used), c%16), fenced(random(r, k.Rows*k.Cols*c), n)
					bias, dst := fenced(random(r, c), n), fenced(random(r, n*c), c%8)
					want := make([]float32, n*c)
					for i := range want {
						sum := bias.x[i%c]
						for t := range k.Rows * k.Cols {
							at := i/c*k.Stride*c + t/k.Cols*k.Pitch + t%k.Cols*c + i%c
							sum = chain(x.x[at], w.x[t*c+i%c], sum)
						}
						want[i] = sum
					}
					Depthwise(dst.x, x.x, w.x, bias.x, k)
					name := fmt.Sprintf("%d outputs of %+v", n, k)
					dst.check(t, name)
					sameBits(t, name, dst.x, want)
				}
			}
		}
	})
}

func TestAddProducts(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(8, 8))
		for _, cols := range []int{0, 1, 7, 8, 9, 31, 32, 33, 65, 130} {
			for _, rows := range []int{0, 1, 2, 17} {
				ldx, ldy := 2*cols+1, cols
				x, y := fenced(random(r, max(0, (rows-1)*ldx+cols)), cols%16), fenced(random(r, max(0, (rows-1)*ldy+cols)), rows%16)
				dst := fenced(random(r, cols), 3)
				want := make([]float32, cols)
				for j := range want {
					want[j] = dst.x[j]
					for i := range rows {
						want[j] = chain(x.x[i*ldx+j], y.x[i*ldy+j], want[j])
					}
				}
				AddProducts(dst.x, x.x, y.x, rows, ldx, ldy)
				name := fmt.Sprintf("%d×%d", rows, cols)
				dst.check(t, name)
				sameBits(t, name, dst.x, want)
			}
		}
	})
}

// TestDepthwiseSpecials: what is no number stays where it is.
func TestDepthwiseSpecials(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		inf := float32(math.Inf(1))
		const c = 37
		for _, v := range []float32{inf, -inf, float32(math.NaN()), float32(math.Copysign(0, -1)), math.Float32frombits(1)} {
			x, w := make([]float32, 4*c), make([]float32, c)
			for i := range w {
				w[i] = 1
			}
			x[c+5] = v
			dst := make([]float32, 4*c)
			Depthwise(dst, x, w, make([]float32, c), Kernel2D{Rows: 1, Cols: 1, Channels: c, Stride: 1})
			sameBits(t, fmt.Sprint(v), dst[c+5:][:1], []float32{v + 0})
			dst[c+5] = 0
			sameBits(t, fmt.Sprint("beside ", v), dst, make([]float32, 4*c))
		}
	})
}

func BenchmarkDepthwise(b *testing.B) {
	for _, k := range []Kernel2D{{7, 7, 64, 70 * 64, 1}, {7, 7, 256, 22 * 256, 1}, {3, 3, 128, 34 * 128, 1}, {7, 7, 128, 70 * 128, 2}} {
		n := k.Pitch/k.Channels/k.Stride - 6
		x, w := make([]float32, k.Rows*k.Pitch+k.Cols*k.Channels), make([]float32, k.Rows*k.Cols*k.Channels)
		dst, bias := make([]float32, n*k.Channels), make([]float32, k.Channels)
		b.Run(fmt.Sprintf("%d of %dx%d, %d channels, stride %d", n, k.Rows, k.Cols, k.Channels, k.Stride), func(b *testing.B) {
			for range b.N {
				Depthwise(dst, x, w, bias, k)
			}
			b.ReportMetric(float64(b.N)*float64(len(dst)*k.Rows*k.Cols)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
