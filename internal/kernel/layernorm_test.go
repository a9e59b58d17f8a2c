package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
)

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

// TestLayerNormGradients: one pass has the bits of two, with many rows and with few, and what
// comes next finds each row complete, once.
func TestLayerNormGradients(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(8, 8))
		for _, rows := range []int{0, 1, 100, 64 * 4 * runtime.GOMAXPROCS(0), 64*4*runtime.GOMAXPROCS(0) + 65} {
			c := newNorm(r, rows, 37)
			c.run()
			dx, dg, db := make([]float32, len(c.dx)), random(r, c.cols), random(r, c.cols)
			told := make([]atomic.Int32, rows)
			LayerNormGradients(dx, dg, db, c.x, c.dy, c.gamma, c.mean, c.rstd, rows, c.cols, func(row, n, col, cols int) {
				if col != 0 || cols != c.cols {
					t.Errorf("told of columns %d to %d, want whole rows", col, col+cols)
				}
				for i := row; i < row+n; i++ {
					told[i].Add(1)
					sameBits(t, fmt.Sprintf("%d rows: row %d when it is told of", rows, i), dx[i*cols:][:cols], c.dx[i*cols:][:cols])
				}
			})
			name := fmt.Sprintf("%d rows: ", rows)
			sameBits(t, name+"dx", dx, c.dx)
			sameBits(t, name+"dgamma", dg, c.dg)
			sameBits(t, name+"dbeta", db, c.db)
			for i := range told {
				if n := told[i].Load(); n != 1 {
					t.Fatalf("%srow %d was told of %d times", name, i, n)
				}
			}
		}
	})
}
