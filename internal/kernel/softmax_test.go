package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestSoftmaxAgainstFloat64: the error is that of e^x, of one rounding of
// x - max, of the sum, and of the product with 1/Σ.
func TestSoftmaxAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		for _, n := range append(lengths(), 16384, 16385, 40000) {
			x := random(r, n)
			for i := range x {
				x[i] *= 10
			}
			src, dst := fenced(x, n%16), fenced(make([]float32, n), (n+5)%16)
			Softmax(dst.x, src.x)
			name := fmt.Sprintf("Softmax of %d", n)
			dst.check(t, name)
			top, sum := math.Inf(-1), 0.0
			for _, v := range x {
				top = max(top, float64(v))
			}
			for _, v := range x {
				sum += math.Exp(float64(v) - top)
			}
			for i, v := range x {
				want := math.Exp(float64(v)-top) / sum
				near(t, name, i, dst.x[i], want, want*eps32*(8+top-float64(v)+float64(min(n, chunk))/16)+1e-45)
			}
			Softmax(src.x, src.x)
			src.check(t, name)
			sameBits(t, name+" in place", src.x, dst.x)
		}
	})
}

// TestSoftmaxMask: entries of -Inf give 0, and leave the rest as it is without
// them: a masked row is a shorter one, bit for bit, and so is its gradient.
func TestSoftmaxMask(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(2, 2))
		for n := 1; n <= 77; n++ {
			x, d := random(r, 130), random(r, 130)
			for i := n; i < len(x); i++ {
				x[i] = float32(math.Inf(-1))
			}
			want, wantD := make([]float32, 130), make([]float32, 130)
			Softmax(want[:n], x[:n])
			SoftmaxBackward(wantD[:n], want[:n], d[:n], 0.125)
			for _, long := range []int{n, n + 1, 77, 130} {
				got, gotD := make([]float32, long), make([]float32, long)
				Softmax(got, x[:long])
				sameBits(t, fmt.Sprintf("%d of %d", n, long), got, want[:long])
				SoftmaxBackward(gotD, got, d[:long], 0.125)
				for i := n; i < long; i++ {
					gotD[i] += 0 // of either sign
				}
				sameBits(t, fmt.Sprintf("backward, %d of %d", n, long), gotD, wantD[:long])
			}
		}
	})
}

// TestSoftmaxSpecials: NaN and +Inf poison the row, and so does nothing to choose from.
func TestSoftmaxSpecials(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachISA(t, func(t *testing.T) {
		for n := 1; n < 70; n++ {
			for at := range n {
				for _, bad := range []float32{nan, inf} {
					x := make([]float32, n)
					x[at] = bad
					Softmax(x, x)
					if x[at] == x[at] || bad != bad && x[0] == x[0] {
						t.Fatalf("%v at %d of %d: got %v and %v, want NaN", bad, at, n, x[at], x[0])
					}
				}
			}
			x := make([]float32, n)
			for i := range x {
				x[i] = -inf
			}
			Softmax(x, x)
			for _, v := range x {
				if v == v {
					t.Fatalf("nothing but -Inf: got %v, want NaN", v)
				}
			}
			for i := range x {
				x[i] = -math.MaxFloat32
			}
			Softmax(x, x)
			for i, v := range x {
				near(t, "all alike", i, v, 1/float64(n), 8*eps32)
			}
		}
	})
}

func TestSoftmaxBackwardAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 3))
		for _, n := range append(lengths(), 40000) {
			p, dp := random(r, n), random(r, n)
			Softmax(p, p)
			var sum, size float64
			for i, v := range p {
				sum += float64(v) * float64(dp[i])
				size += math.Abs(float64(v) * float64(dp[i]))
			}
			src, dst := fenced(dp, n%16), fenced(make([]float32, n), (n+3)%16)
			SoftmaxBackward(dst.x, p, src.x, 0.25)
			name := fmt.Sprintf("SoftmaxBackward of %d", n)
			dst.check(t, name)
			for i, v := range p {
				want := 0.25 * float64(v) * (float64(dp[i]) - sum)
				near(t, name, i, dst.x[i], want, 0.25*float64(v)*eps32*(float64(n)*size+4*(math.Abs(float64(dp[i]))+math.Abs(sum)))+1e-45)
			}
			SoftmaxBackward(src.x, p, src.x, 0.25)
			src.check(t, name)
			sameBits(t, name+" in place", src.x, dst.x)
		}
	})
}
