package kernel

import "math"

// Softmax computes dst = e^(x-max x) / Σ e^(x-max x) over one row. dst may be x.
// An entry of -Inf gives exactly 0, and entries of -Inf at the end of a row
// leave the other results as they would be without them, bit for bit: a masked
// row equals a shorter one. A row that holds NaN or +Inf, or nothing but -Inf,
// gives NaN.
func Softmax(dst, x []float32) {
	checkLen("dst", dst, len(x))
	isa.softmax(dst, x)
}

func softmaxGo(dst, x []float32) {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	var sum float32
	for i, v := range x {
		dst[i] = float32(math.Exp(float64(v - top)))
		sum += dst[i]
	}
	scale := 1 / sum
	for i := range dst {
		dst[i] *= scale
	}
}

// SoftmaxBackward computes dx = scale·p·(dp - Σ p·dp) over one row, where p is
// [Softmax]'s result and dp its gradient. dx may be dp.
func SoftmaxBackward(dx, p, dp []float32, scale float32) {
	checkLen("dx", dx, len(p))
	checkLen("dp", dp, len(p))
	isa.softmaxBackward(dx, p, dp, scale)
}

func softmaxBackwardGo(dx, p, dp []float32, scale float32) {
	var dot float32
	for i, v := range p {
		dot += v * dp[i]
	}
	for i, v := range p {
		dx[i] = scale * v * (dp[i] - dot)
	}
}
