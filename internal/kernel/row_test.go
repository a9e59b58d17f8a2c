package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

const eps32 = 1.0 / (1 << 24)

// near fails the test unless |got - want| ≤ tol.
func near(t *testing.T, name string, i int, got float32, want, tol float64) {
	t.Helper()
	if diff := math.Abs(float64(got) - want); !(diff <= tol) {
		t.Fatalf("%s: element %d: got %v, want %v ± %v", name, i, got, want, tol)
	}
}

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

// lengths are 0 … 130.
func lengths() (ns []int) {
	for n := range 131 {
		ns = append(ns, n)
	}
	return ns
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

// normCase is one layer normalisation, forward and backward.
type normCase struct {
	rows, cols                             int
	x, dy, gamma, beta, y, dx, dg, db      []float32
	mean, rstd                             []float32
	wantY, wantDx, wantDg, wantDb          []float64
	tolY, tolDx, tolDg, tolDb, wmean, wstd []float64
}

func newNorm(r *rand.Rand, rows, cols int) *normCase {
	c := &normCase{rows: rows, cols: cols}
	c.x, c.dy, c.gamma, c.beta = random(r, rows*cols), random(r, rows*cols), random(r, cols), random(r, cols)
	c.y, c.dx = make([]float32, rows*cols), make([]float32, rows*cols)
	c.dg, c.db, c.mean, c.rstd = make([]float32, cols), make([]float32, cols), make([]float32, rows), make([]float32, rows)
	return c
}

const normEps = 1e-5

func (c *normCase) run() {
	LayerNorm(c.y, c.x, c.gamma, c.beta, c.rows, c.cols, normEps, c.mean, c.rstd)
	LayerNormBackward(c.dx, c.x, c.dy, c.gamma, c.mean, c.rstd, c.rows, c.cols)
	LayerNormBackwardParams(c.dg, c.db, c.x, c.dy, c.mean, c.rstd, c.rows, c.cols)
}

// reference computes everything in float64, and from the sizes of the terms how
// far float32 may be off.
func (c *normCase) reference() {
	n := float64(c.cols)
	c.wantY, c.wantDx, c.tolY, c.tolDx = make([]float64, len(c.x)), make([]float64, len(c.x)), make([]float64, len(c.x)), make([]float64, len(c.x))
	c.wantDg, c.wantDb, c.tolDg, c.tolDb = make([]float64, c.cols), make([]float64, c.cols), make([]float64, c.cols), make([]float64, c.cols)
	for i := range c.rows {
		x, dy := c.x[i*c.cols:][:c.cols], c.dy[i*c.cols:][:c.cols]
		var mean, variance, sum, dot, size float64
		for _, v := range x {
			mean += float64(v) / n
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / n
		}
		rstd := 1 / math.Sqrt(variance+normEps)
		c.wmean, c.wstd = append(c.wmean, mean), append(c.wstd, rstd)
		for j, v := range x {
			g := float64(dy[j]) * float64(c.gamma[j])
			sum += g / n
			dot += g * (float64(v) - mean) * rstd / n
			size += math.Abs(g) * (1 + math.Abs(float64(v)-mean)*rstd) / n
		}
		// The mean is off by up to n·ε·|x|, and with it every x̂.
		off := n * eps32 * rstd
		for j, v := range x {
			at, g := i*c.cols+j, float64(dy[j])*float64(c.gamma[j])
			hat := (float64(v) - mean) * rstd
			c.wantY[at] = hat*float64(c.gamma[j]) + float64(c.beta[j])
			c.tolY[at] = (off+4*eps32)*(1+math.Abs(hat))*(1+off) + 4*eps32
			c.wantDx[at] = rstd * (g - sum - hat*dot)
			c.tolDx[at] = rstd * (1 + math.Abs(hat)) * (n + 8) * eps32 * (size + math.Abs(g)) * (2 + rstd)
			c.wantDg[j] += float64(dy[j]) * hat
			c.wantDb[j] += float64(dy[j])
			c.tolDg[j] += (off + float64(c.rows)*eps32) * math.Abs(float64(dy[j])) * (1 + math.Abs(hat))
			c.tolDb[j] += float64(c.rows) * eps32 * math.Abs(float64(dy[j]))
		}
	}
}

func TestLayerNormAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(4, 4))
		for _, n := range append(lengths()[1:], 768, 1000) {
			c := newNorm(r, 1+n%5, n)
			for _, f := range []*[]float32{&c.x, &c.dy, &c.gamma, &c.beta, &c.y, &c.dx, &c.dg, &c.db, &c.mean, &c.rstd} {
				g := fenced(*f, r.IntN(16))
				*f = g.x
				defer g.check(t, fmt.Sprintf("layer norm of %d", n))
			}
			c.run()
			c.reference()
			name := fmt.Sprintf("layer norm of %d×%d: ", c.rows, c.cols)
			for i := range c.x {
				near(t, name+"y", i, c.y[i], c.wantY[i], c.tolY[i])
				near(t, name+"dx", i, c.dx[i], c.wantDx[i], c.tolDx[i])
			}
			for j := range c.gamma {
				near(t, name+"dgamma", j, c.dg[j], c.wantDg[j], c.tolDg[j]+1e-6)
				near(t, name+"dbeta", j, c.db[j], c.wantDb[j], c.tolDb[j]+1e-6)
			}
			for i := range c.mean {
				near(t, name+"mean", i, c.mean[i], c.wmean[i], float64(n)*eps32)
				near(t, name+"rstd", i, c.rstd[i], c.wstd[i], c.wstd[i]*float64(n+8)*eps32*(1+c.wstd[i]))
			}
			y, dx := append([]float32(nil), c.x...), append([]float32(nil), c.dy...)
			LayerNorm(y, y, c.gamma, c.beta, c.rows, c.cols, normEps, nil, nil)
			sameBits(t, name+"y in place", y, c.y)
			LayerNormBackward(dx, c.x, dx, c.gamma, c.mean, c.rstd, c.rows, c.cols)
			sameBits(t, name+"dx in place", dx, c.dx)
		}
	})
}

// TestRowsStandAlone: a row's results do not depend on the rows around it, nor
// any result on the number of cores.
func TestRowsStandAlone(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 5))
		c := newNorm(r, 150, 257)
		runtime.GOMAXPROCS(4)
		c.run()
		y, dx, dg, db := c.y, c.dx, c.dg, c.db
		sum := make([]float32, c.cols)
		ColSum(sum, c.x, c.rows, c.cols)
		runtime.GOMAXPROCS(1)
		c.y, c.dx, c.dg, c.db = make([]float32, len(y)), make([]float32, len(dx)), make([]float32, len(dg)), make([]float32, len(db))
		c.run()
		sameBits(t, "y", c.y, y)
		sameBits(t, "dx", c.dx, dx)
		sameBits(t, "dgamma", c.dg, dg)
		sameBits(t, "dbeta", c.db, db)
		again := make([]float32, c.cols)
		ColSum(again, c.x, c.rows, c.cols)
		sameBits(t, "ColSum", again, sum)
		row := make([]float32, c.cols)
		for i := range c.rows {
			at, to := i*c.cols, (i+1)*c.cols
			LayerNorm(row, c.x[at:to], c.gamma, c.beta, 1, c.cols, normEps, nil, nil)
			sameBits(t, "y alone", row, y[at:to])
			LayerNormBackward(row, c.x[at:to], c.dy[at:to], c.gamma, c.mean[i:i+1], c.rstd[i:i+1], 1, c.cols)
			sameBits(t, "dx alone", row, dx[at:to])
		}
	})
}
