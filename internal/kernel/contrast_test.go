package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// similarities are n numbers, how they become logits, and what these are reduced by: the
// exponents are -30 to 1.
type similarities struct {
	x, his, los   []float32
	scale, hi, lo float32
}

func randomSimilarities(r *rand.Rand, n int) similarities {
	s := similarities{x: random(r, n), his: random(r, n), los: random(r, n), scale: []float32{0, 1, 14.3, 100}[r.IntN(4)]}
	for i := range n {
		s.his[i] = s.scale + 15*(1+s.his[i]) - 1
		s.los[i] *= 1e-6
	}
	s.hi, s.lo = s.scale-1, 1e-6*r.Float32()
	return s
}

// exponential is e^(scale·x - hi - lo) and its error: that of two roundings of the exponent,
// and of e^x.
func exponential(x, scale, hi, lo float32) (want, tol float64) {
	v := float64(scale)*float64(x) - float64(hi) - float64(lo)
	return math.Exp(v), math.Exp(v)*eps32*(4+2*math.Abs(v)) + 1e-45
}

// TestContrastAgainstFloat64: every length, with guards on both sides, in place and apart.
func TestContrastAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		for _, n := range append(lengths(), 16384, 16385, 40000) {
			s := randomSimilarities(r, n)
			x, his, los, p := fenced(s.x, n%16), fenced(s.his, n%7), fenced(s.los, n%5), fenced(make([]float32, n), (n+3)%16)
			sums := 1 + float64(min(n, chunk))/16 // additions of float32 in a chain, in units of the result

			top := float32(math.Inf(-1))
			var total, tolerance float64
			for _, v := range s.x {
				top = max(top, v)
				e, tol := exponential(v, s.scale, s.hi, 0)
				total, tolerance = total+e, tolerance+tol
			}
			if got := Max(x.x); got != top {
				t.Fatalf("Max of %d: got %v, want %v", n, got, top)
			}
			if got := ScaledExpSum(x.x, s.scale, s.hi); !(math.Abs(got-total) <= tolerance+total*eps32*sums) {
				t.Fatalf("ScaledExpSum of %d: got %v, want %v ± %v", n, got, total, tolerance+total*eps32*sums)
			}

			largest := fenced(s.his, n%3)
			MaxEach(largest.x, x.x)
			largest.check(t, "MaxEach")
			AddScaledExp(p.x, x.x, his.x, s.scale)
			p.check(t, "AddScaledExp")
			for i, v := range s.x {
				near(t, "MaxEach", i, largest.x[i], float64(max(v, s.his[i])), 0)
				e, tol := exponential(v, s.scale, s.his[i], 0)
				near(t, "AddScaledExp", i, p.x[i], e, tol)
			}

			dot, tolerance := 0.0, 0.0
			got := Chosen(p.x, x.x, his.x, los.x, s.scale, s.hi, s.lo)
			p.check(t, "Chosen")
			for i, v := range s.x {
				a, tolA := exponential(v, s.scale, s.hi, s.lo)
				b, tolB := exponential(v, s.scale, s.his[i], s.los[i])
				near(t, "Chosen", i, p.x[i], a+b, tolA+tolB+(a+b)*eps32)
				dot += float64(p.x[i]) * float64(v)
				tolerance += math.Abs(float64(p.x[i]) * float64(v))
			}
			if !(math.Abs(got-dot) <= tolerance*eps32*sums) {
				t.Fatalf("Chosen of %d: got %v, want %v ± %v", n, got, dot, tolerance*eps32*sums)
			}
			same := fenced(s.x, n%16)
			Chosen(same.x, same.x, his.x, los.x, s.scale, s.hi, s.lo)
			same.check(t, "Chosen in place")
			sameBits(t, "Chosen in place", same.x, p.x)

			s.logistic(t, x, p)
			copy(same.x, s.x)
			Logistic(same.x, same.x, s.scale, -s.hi/2)
			same.check(t, "Logistic in place")
			sameBits(t, "Logistic in place", same.x, p.x)
			x.check(t, "the input")
			sameBits(t, "the input", x.x, s.x)
		}
	})
}

func (s similarities) logistic(t *testing.T, x, p *fence) {
	t.Helper()
	bias := -s.hi / 2
	loss, sum, dot := Logistic(p.x, x.x, s.scale, bias)
	p.check(t, "Logistic")
	var losses, sums, dots, tolLoss, tolDot float64
	for i, w := range s.x {
		v := float64(s.scale)*float64(w) + float64(bias)
		e := math.Exp(-math.Abs(v))
		want, each := 1/(1+e), math.Log1p(e)+max(v, 0)
		if v < 0 {
			want = e / (1 + e)
		}
		rounded := eps32 * (8 + 2*math.Abs(v))
		near(t, "Logistic", i, p.x[i], want, want*rounded+1e-45)
		losses, tolLoss = losses+each, tolLoss+each*rounded
		sums += float64(p.x[i])
		dots, tolDot = dots+float64(p.x[i])*float64(w), tolDot+math.Abs(float64(p.x[i])*float64(w))
	}
	order := eps32 * (1 + float64(min(len(s.x), chunk))/16)
	for _, c := range []struct {
		what           string
		got, want, tol float64
	}{{"loss", loss, losses, tolLoss + losses*order}, {"sum", sum, sums, sums * order}, {"dot", dot, dots, tolDot * order}} {
		if !(math.Abs(c.got-c.want) <= c.tol+1e-45) {
			t.Fatalf("Logistic of %d: %s: got %v, want %v ± %v", len(s.x), c.what, c.got, c.want, c.tol)
		}
	}
}

// TestContrastSpecials: what is far below counts for nothing, not even as its own dot; NaN
// shows.
func TestContrastSpecials(t *testing.T) {
	nan, least := float32(math.NaN()), float32(-math.MaxFloat32)
	eachISA(t, func(t *testing.T) {
		for n := 1; n < 70; n++ {
			zeros := make([]float32, n)
			for at := range n {
				name := fmt.Sprintf("%d of %d", at, n)
				x, p := make([]float32, n), make([]float32, n)
				x[at] = least
				want := float64(n - 1)
				if got := ScaledExpSum(x, 100, 0); got != want {
					t.Fatalf("ScaledExpSum, %s: got %v, want %v", name, got, want)
				}
				if got := Chosen(p, x, zeros, zeros, 100, 0, 0); got != 0 || p[at] != 0 || n > 1 && p[(at+1)%n] != 2 {
					t.Fatalf("Chosen, %s: got %v and %v, want 0, 2 and a dot of 0", name, p, got)
				}
				loss, sum, dot := Logistic(p, x, 100, 0)
				near(t, "Logistic: loss", at, float32(loss), want*math.Ln2, want*1e-6)
				if sum != want/2 || dot != 0 || p[at] != 0 {
					t.Fatalf("Logistic, %s: got %v, sum %v and dot %v, want 0, %v and 0", name, p[at], sum, dot, want/2)
				}
				x[at] = nan
				loss, sum, dot = Logistic(p, x, 1, 0)
				chosen := Chosen(p, x, zeros, zeros, 1, 0, 0)
				for _, v := range []float64{ScaledExpSum(x, 1, 0), chosen, loss, sum, dot, float64(p[at])} {
					if v == v {
						t.Fatalf("NaN at %s: got %v", name, v)
					}
				}
			}
		}
	})
}

// TestDotWide: all products are exact in float64.
func TestDotWide(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 3))
		for _, n := range append(lengths(), 16385) {
			a, b := fenced(random(r, n), n%16), fenced(random(r, n), n%5)
			var want float64
			for i, v := range a.x {
				want += float64(v) * float64(b.x[i])
			}
			if got := DotWide(a.x, b.x); !(math.Abs(got-want) <= 1e-15*float64(1+n)) {
				t.Fatalf("DotWide of %d: got %v, want %v", n, got, want)
			}
		}
	})
}
