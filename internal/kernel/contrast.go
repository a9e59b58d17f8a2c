package kernel

import "math"

// What contrastive losses do with similarities x. A logit is scale·x, rounded once, after what
// it is reduced by has been subtracted.

// Max returns the largest of x, -Inf where there is none.
func Max(x []float32) float32 {
	top := float32(math.Inf(-1))
	pieces(len(x), func(i, j int) { top = max(top, isa.max(x[i:j])) })
	return top
}

func maxGo(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	return top
}

// MaxEach computes dst = max(dst, x), element by element.
func MaxEach(dst, x []float32) {
	checkLen("dst", dst, len(x))
	pieces(len(x), func(i, j int) { isa.maxEach(dst[i:j], x[i:j]) })
}

func maxEachGo(dst, x []float32) {
	for i, v := range x {
		dst[i] = max(dst[i], v)
	}
}

// ScaledExpSum returns Σ e^(scale·x - top). No exponent may be above 40.
func ScaledExpSum(x []float32, scale, top float32) (sum float64) {
	pieces(len(x), func(i, j int) { sum += float64(isa.scaledExpSum(x[i:j], scale, top)) })
	return sum
}

func scaledExpSumGo(x []float32, scale, top float32) float32 {
	var sum float64
	for _, v := range x {
		sum += scaledExp(v, scale, top, 0)
	}
	return float32(sum)
}

// AddScaledExp computes sum += e^(scale·x - top), element by element. No exponent may be
// above 40.
func AddScaledExp(sum, x, top []float32, scale float32) {
	checkLen("sum", sum, len(x))
	checkLen("top", top, len(x))
	pieces(len(x), func(i, j int) { isa.addScaledExp(sum[i:j], x[i:j], top[i:j], scale) })
}

func addScaledExpGo(sum, x, top []float32, scale float32) {
	for i, v := range x {
		sum[i] += float32(scaledExp(v, scale, top[i], 0))
	}
}

// Chosen computes p = e^(scale·x - hi - lo) + e^(scale·x - his - los) and returns Σ p·x: the
// probability that a row, whose logarithm of Σ e^logit is hi + lo, chooses an element, and that
// the element's column, of his + los, chooses the row. No exponent may be above 40. p may be x.
func Chosen(p, x, his, los []float32, scale, hi, lo float32) (dot float64) {
	checkLen("p", p, len(x))
	checkLen("his", his, len(x))
	checkLen("los", los, len(x))
	pieces(len(x), func(i, j int) {
		dot += float64(isa.chosen(p[i:j], x[i:j], his[i:j], los[i:j], scale, hi, lo))
	})
	return dot
}

func chosenGo(p, x, his, los []float32, scale, hi, lo float32) float32 {
	var dot float64
	for i, v := range x {
		p[i] = float32(scaledExp(v, scale, hi, lo) + scaledExp(v, scale, his[i], los[i]))
		dot += float64(p[i]) * float64(v)
	}
	return float32(dot)
}

// scaledExp is e^(scale·x - hi - lo), 0 where the vectors have 0.
func scaledExp(x, scale, hi, lo float32) float64 {
	return math.Exp(max(float64(scale)*float64(x)-float64(hi)-float64(lo), -105))
}

// Logistic computes p = σ(v) for v = scale·x + bias, and returns Σ ln(1 + eᵛ), Σ p and Σ p·x.
// p may be x.
func Logistic(p, x []float32, scale, bias float32) (loss, sum, dot float64) {
	checkLen("p", p, len(x))
	pieces(len(x), func(i, j int) {
		l, s, d := isa.logistic(p[i:j], x[i:j], scale, bias)
		loss, sum, dot = loss+float64(l), sum+float64(s), dot+float64(d)
	})
	return loss, sum, dot
}

func logisticGo(p, x []float32, scale, bias float32) (loss, sum, dot float32) {
	var losses, sums, dots float64
	for i, w := range x {
		v := float64(scale)*float64(w) + float64(bias)
		e := math.Exp(-math.Abs(v))
		losses += max(v, 0) + math.Log1p(e)
		if p[i] = float32(1 / (1 + e)); v < 0 {
			p[i] = float32(e / (1 + e))
		}
		sums += float64(p[i])
		dots += float64(p[i]) * float64(w)
	}
	return float32(losses), float32(sums), float32(dots)
}
