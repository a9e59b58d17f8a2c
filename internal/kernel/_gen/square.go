package main

import "fmt"

// squareFile has the sum of squares in float64, for AVX2 alone.
func squareFile() file {
	f := file{name: "square"}
	f.text("sumSquaresVec", "(x *float32, n int) (total float64)", 24)
	v := &vec{file: &f}
	f.i("MOVQ x+0(FP), SI")
	f.i("MOVQ n+8(FP), CX")
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
	f.i("VMOVSD X0, total+16(FP)")
	f.ret()
	return f.finish()
}
