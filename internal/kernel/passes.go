//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"math"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// What takes several passes of assembly over a row. AVX2, AVX-512 and NEON share
// the passes, and hence the order of sums.

func softmaxPasses(dst, x []float32) {
	if len(x) > chunk {
		softmaxPieces(dst, x, asm.ExpSum)
		return
	}
	asm.Scale(dst, 1/asm.ExpSum(dst, x, asm.Max(x)))
}

// softmaxPieces is for rows that are longer than a chunk.
func softmaxPieces(dst, x []float32, expSum func(dst, x []float32, top float32) float32) {
	top := float32(math.Inf(-1))
	pieces(len(x), func(i, j int) { top = max(top, asm.Max(x[i:j])) })
	var sum float32
	pieces(len(x), func(i, j int) { sum += expSum(dst[i:j], x[i:j], top) })
	pieces(len(x), func(i, j int) { asm.Scale(dst[i:j], 1/sum) })
}

func softmaxBackwardPasses(dx, p, dp []float32, scale float32) {
	if len(p) <= chunk {
		asm.SoftmaxGrad(dx, p, dp, asm.Dot(p, dp), scale)
		return
	}
	var sum float32
	pieces(len(p), func(i, j int) { sum += asm.Dot(p[i:j], dp[i:j]) })
	pieces(len(p), func(i, j int) { asm.SoftmaxGrad(dx[i:j], p[i:j], dp[i:j], sum, scale) })
}

func layerNormPasses(dst, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	n := len(x)
	mean = asm.Sum(x) / float32(n)
	rstd = float32(1 / math.Sqrt(float64(asm.SquaredDeviations(x, mean))/float64(n)+float64(eps)))
	asm.Normalize(dst, x, gamma, beta, mean, rstd)
	return mean, rstd
}

func layerNormBackwardPasses(dx, x, dy, gamma []float32, mean, rstd float32) {
	n := float32(len(x))
	sum, dot := asm.NormalizeSums(x, dy, gamma, mean, rstd)
	asm.NormalizeGrad(dx, x, dy, gamma, mean, rstd, sum/n, dot/n)
}

func finiteSum(x []float32) bool { return asm.ZeroSum(x) == 0 }
