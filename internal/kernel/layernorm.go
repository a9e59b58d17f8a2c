package kernel

import (
	"math"
	"runtime"

	"github.com/goclip/goclip/internal/parallel"
)

// LayerNorm normalises every row of x, (rows, cols), to mean 0 and variance 1,
// then scales by gamma and shifts by beta, (cols) each (Ba et al. 2016). The
// variance is the biased one. Where they are not nil, mean and rstd, (rows)
// each, receive the rows' means and 1/√(variance + eps). dst may be x.
func LayerNorm(dst, x, gamma, beta []float32, rows, cols int, eps float32, mean, rstd []float32) {
	checkRows("dst", dst, rows, cols)
	checkRows("x", x, rows, cols)
	checkLen("gamma", gamma, cols)
	checkLen("beta", beta, cols)
	if mean != nil {
		checkLen("mean", mean, rows)
	}
	if rstd != nil {
		checkLen("rstd", rstd, rows)
	}
	rowChunks(rows, cols, func(i int) {
		mu, r := isa.layerNorm(dst[i*cols:i*cols+cols], x[i*cols:i*cols+cols], gamma, beta, eps)
		if mean != nil {
			mean[i] = mu
		}
		if rstd != nil {
			rstd[i] = r
		}
	})
}

// layerNormGo normalises one row.
func layerNormGo(dst, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	mean = float32(sum / float64(len(x)))
	sum = 0
	for _, v := range x {
		d := float64(v - mean)
		sum += d * d
	}
	rstd = float32(1 / math.Sqrt(sum/float64(len(x))+float64(eps)))
	for i, v := range x {
		dst[i] = (v-mean)*rstd*gamma[i] + beta[i]
	}
	return mean, rstd
}

// LayerNormBackward computes the gradient dx of [LayerNorm]'s input from its
// input x, the gradient dy of its result, and the mean and rstd it kept. dx may
// be dy.
func LayerNormBackward(dx, x, dy, gamma, mean, rstd []float32, rows, cols int) {
	checkRows("dx", dx, rows, cols)
	checkRows("x", x, rows, cols)
	checkRows("dy", dy, rows, cols)
	checkLen("gamma", gamma, cols)
	checkLen("mean", mean, rows)
	checkLen("rstd", rstd, rows)
	rowChunks(rows, cols, func(i int) {
		at, to := i*cols, i*cols+cols
		isa.layerNormBackward(dx[at:to], x[at:to], dy[at:to], gamma, mean[i], rstd[i])
	})
}

func layerNormBackwardGo(dx, x, dy, gamma []float32, mean, rstd float32) {
	var sum, dot float64
	for i, v := range x {
		g := float64(dy[i] * gamma[i])
		sum += g
		dot += g * float64((v-mean)*rstd)
	}
	n := float64(len(x))
	m, d := float32(sum/n), float32(dot/n)
	for i, v := range x {
		dx[i] = rstd * (dy[i]*gamma[i] - m - (v-mean)*rstd*d)
	}
}

// LayerNormBackwardParams computes the gradients of [LayerNorm]'s gamma and
// beta, (cols) each: dgamma[j] = Σ_i dy·(x-mean)·rstd and dbeta[j] = Σ_i dy.
// Rows are added in ascending order, in blocks.
func LayerNormBackwardParams(dgamma, dbeta, x, dy, mean, rstd []float32, rows, cols int) {
	checkLen("dgamma", dgamma, cols)
	checkLen("dbeta", dbeta, cols)
	checkRows("x", x, rows, cols)
	checkRows("dy", dy, rows, cols)
	checkLen("mean", mean, rows)
	checkLen("rstd", rstd, rows)
	strips(cols, func(j0, j1 int) {
		clear(dgamma[j0:j1])
		clear(dbeta[j0:j1])
		for i := 0; i < rows; i += rowBlock {
			to, at := min(rows, i+rowBlock), i*cols+j0
			isa.layerNormParams(dgamma[j0:j1], dbeta[j0:j1], x[at:], dy[at:], mean[i:to], rstd[i:to], cols)
		}
	})
}

// LayerNormGradients is [LayerNormBackward] and [LayerNormBackwardParams], to the same bits, in one
// pass over x and dy, and what comes next of each block of rows of dx. dx must not be dy.
func LayerNormGradients(dx, dgamma, dbeta, x, dy, gamma, mean, rstd []float32, rows, cols int, then Then) {
	n := blocks(rows, rowBlock)
	if n < 4*runtime.GOMAXPROCS(0) { // little that would be read twice, and the cores would end apart
		LayerNormBackward(dx, x, dy, gamma, mean, rstd, rows, cols)
		LayerNormBackwardParams(dgamma, dbeta, x, dy, mean, rstd, rows, cols)
		if then != nil && rows > 0 {
			then(0, rows, 0, cols)
		}
		return
	}
	checkRows("dx", dx, rows, cols)
	checkRows("x", x, rows, cols)
	checkRows("dy", dy, rows, cols)
	checkLen("gamma", gamma, cols)
	checkLen("dgamma", dgamma, cols)
	checkLen("dbeta", dbeta, cols)
	checkLen("mean", mean, rows)
	checkLen("rstd", rstd, rows)
	lent := scratch.get(2 * n * cols) // the sums of each block of rows
	parallel.For(n, func(b int) {
		from, to := b*rowBlock, min(rows, b*rowBlock+rowBlock)
		for i := from; i < to; i++ {
			at, end := i*cols, i*cols+cols
			isa.layerNormBackward(dx[at:end], x[at:end], dy[at:end], gamma, mean[i], rstd[i])
		}
		sums := lent.data[2*b*cols:][:2*cols]
		clear(sums)
		isa.layerNormParams(sums[:cols], sums[cols:], x[from*cols:], dy[from*cols:], mean[from:to], rstd[from:to], cols)
		if then != nil {
			then(from, to-from, 0, cols)
		}
	})
	clear(dgamma)
	clear(dbeta)
	for b := range n {
		Add(dgamma, dgamma, lent.data[2*b*cols:][:cols])
		Add(dbeta, dbeta, lent.data[(2*b+1)*cols:][:cols])
	}
	scratch.put(lent)
}

// layerNormParamsGo adds a block of rows to the gradients of a strip of columns.
func layerNormParamsGo(dgamma, dbeta, x, dy, mean, rstd []float32, ld int) {
	for j := range dgamma {
		var dg, db float32
		for i, mu := range mean {
			d := dy[i*ld+j]
			dg += d * ((x[i*ld+j] - mu) * rstd[i])
			db += d
		}
		dgamma[j] += dg
		dbeta[j] += db
	}
}
