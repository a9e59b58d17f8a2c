package main

import "fmt"

// sumSquaresFile has the sum of squares in float64, for AVX2 alone.
func sumSquaresFile() file {
	f := file{name: "sumsquares", arch: "amd64"}
	v := f.vec("SumSquares", "total = Σ x², in float64", sign("x []float32", "total float64"))
	v.arg("x", "SI")
	v.arg("x_len", "CX")
	for k := range 4 {
		v.zero(v.r(k))
	}
	v.each(lanes/2, func(k int) { // a block of 16 is two vectors, or four halves
		for h := 2 * k; h < 2*k+2; h++ {
			at := fmt.Sprintf("%d(SI)(AX*1)", 16*h)
			if v.masked {
				f.i("VMOVUPS %d(R14), X15", 16*h)
				f.i("VMASKMOVPS %s, X15, X8", at)
				at = "X8"
			}
			f.i("VCVTPS2PD %s, Y8", at)
			f.i("VFMADD231PD Y8, Y8, Y%d", h)
		}
	})
	f.i("VADDPD Y2, Y0, Y0")
	f.i("VADDPD Y3, Y1, Y1")
	f.i("VADDPD Y1, Y0, Y0")
	f.i("VEXTRACTF128 $1, Y0, X1")
	f.i("VADDPD X1, X0, X0")
	f.i("VHADDPD X0, X0, X0")
	f.i("VMOVSD X0, %s", v.ref("total"))
	f.ret()
	f.finish()
	return f
}
