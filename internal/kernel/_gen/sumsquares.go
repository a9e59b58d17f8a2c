package main

import (
	"fmt"
	"strings"
)

// sumSquaresFile has sums of products in float64, for AVX2 alone.
func sumSquaresFile() file {
	f := file{name: "sumsquares", arch: "amd64"}
	f.products("SumSquares", "total = Σ x², in float64", "x")
	f.products("DotWide", "total = Σ a·b, in float64", "a", "b")
	f.finish()
	return f
}

// products adds up those of one slice with itself, or of two.
func (f *file) products(name, doc string, of ...string) {
	v := f.vec(name, doc, sign(strings.Join(of, ", ")+" []float32", "total float64"))
	at := []string{"SI", "DX"}
	for i, x := range of {
		v.arg(x, at[i])
	}
	v.arg(of[0]+"_len", "CX")
	for k := range 4 {
		v.zero(v.r(k))
	}
	v.each(lanes/2, func(k int) { // a block of 16 is two vectors, or four halves
		for h := 2 * k; h < 2*k+2; h++ {
			if v.masked {
				f.i("VMOVUPS %d(R14), X15", 16*h)
			}
			for i := range of {
				x := fmt.Sprintf("%d(%s)(AX*1)", 16*h, at[i])
				if v.masked {
					f.i("VMASKMOVPS %s, X15, X8", x)
					x = "X8"
				}
				f.i("VCVTPS2PD %s, Y%d", x, 9+i)
			}
			f.i("VFMADD231PD Y9, Y%d, Y%d", 8+len(of), h)
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
}
