package main

import "math"

// Minimax coefficients of (eʳ-1-r)/r² for |r| ≤ ln2/2, relative error of eʳ 3e-9.
var expPoly = []float64{0.499999934423, 0.166665204753, 0.041668389398, 0.00836873802823, 0.0013814577974}

const (
	ln2Hi = 0.693359375 // nine bits: n·ln2Hi is exact
	ln2Lo = math.Ln2 - ln2Hi
)

// reduced leaves in x the value of eʳ, where x = n·ln2 + r, and in t the bits of
// n + magic as a float: n's low bits are those of n + magic. It clobbers n and q.
func (v *vec) reduced(x, t, n, q string, magic float64) {
	v.set(v.k(magic), t)
	v.op("VFMADD231PS", v.k(math.Log2E), x, t)
	v.op("VSUBPS", v.k(magic), t, n)
	v.op("VFNMADD231PS", v.k(ln2Hi), n, x)
	v.op("VFNMADD231PS", v.k(ln2Lo), n, x)
	v.horner(x, q, expPoly)
	if v.z {
		v.op("VMULPS", x, x, t) // t's place is free: AVX-512 scales by n
	} else {
		v.op("VMULPS", x, x, n)
		n, t = t, n
	}
	v.op("VFMADD231PS", q, t, x)
	v.op("VADDPS", v.k(1), x, x)
}

// horner evaluates a polynomial, lowest coefficient first.
func (v *vec) horner(x, to string, c []float64) {
	v.set(v.k(c[len(c)-1]), to)
	for i := len(c) - 2; i >= 0; i-- {
		v.op("VFMADD213PS", v.k(c[i]), x, to)
	}
}

// expNegative replaces x, -131 ≤ x ≤ 0 or NaN, by eˣ. Below -103.97 that is 0;
// between there and -87.3 it is denormal, rounded once. It clobbers t, n and q.
func (v *vec) expNegative(x, t, n, q string) {
	// 1.5·2²³ has the units in its last bits; 127 + 64 make them the exponent of
	// 2^(n+64), which is no denormal.
	v.reduced(x, t, n, q, 1.5*(1<<23)+127+64)
	if v.z {
		v.i("VSCALEFPS %s, %s, %s", n, x, x)
		return
	}
	v.op("VPSLLD", "$23", t, t)
	v.op("VMULPS", t, x, x)
	v.op("VMULPS", v.k(math.Exp2(-64)), x, x)
}

// exponential has e to the power of any x.
func exponential(f *file) {
	f.wide("Exp", "dst = eˣ", sign("dst, x []float32", ""), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("dst_len", "CX")
		lo, hi := v.r(13), v.r(14)
		v.set(v.k(-105), lo)
		v.set(v.k(89), hi)
		v.each(v.lanes(), func(k int) {
			x, t, n, q := v.r(0), v.r(1), v.r(2), v.r(3)
			v.load("SI", k, x)
			v.op("VMINPS", x, hi, x) // x last in Intel's order: NaN stays
			v.op("VMAXPS", x, lo, x)
			v.reduced(x, t, n, q, 1.5*(1<<23))
			if v.z {
				v.i("VSCALEFPS %s, %s, %s", n, x, x)
			} else { // 2ⁿ in two factors, none of which overflows
				v.op("VPSUBD", v.k(1.5*(1<<23)), t, t)
				v.op("VPSRAD", "$1", t, n)
				v.op("VPSUBD", n, t, t)
				for _, m := range []string{n, t} {
					v.op("VPADDD", v.bits(127), m, m)
					v.op("VPSLLD", "$23", m, m)
					v.op("VMULPS", m, x, x)
				}
			}
			v.store(x, "DI", k)
		})
	})
}
