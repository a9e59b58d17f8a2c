package kernel

import "math"

// Exp computes dst = eˣ, to within one unit in the last place. dst may be x.
func Exp(dst, x []float32) {
	checkLen("dst", dst, len(x))
	chunks(len(x), func(i, j int) { isa.exp(dst[i:j], x[i:j]) })
}

func expGo(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(math.Exp(float64(v)))
	}
}
