package main

import "math"

// elementFile has the functions of one element: exp and the activations.
func elementFile(arch string) file {
	f := file{name: "element", arch: arch, both: true}
	expFunction(&f)
	for _, act := range activations {
		act.forward(&f)
		act.backward(&f)
	}
	return f.finish()
}

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

// expFunction is e to the power of any x.
func expFunction(f *file) {
	f.wide("exp", append(pointers("dst x"), ints("n")...), nil, func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("n", "CX")
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

// activation is x·s(x) with s(x) = 1 - s(-x): the normal distribution function,
// or a sigmoid. Its code knows h = s(-|x|) and g = s(-|x|) - |x|·s'(x), from which
//
//	act(x)  = -|x|·h for x < 0, else x - |x|·h
//	act'(x) = g      for x < 0, else 1 - g
//
// each with a small error relative to itself, but where act' crosses 0. |x| is
// cut at limit, beyond which h is 0, so that infinities give their limits.
type activation struct {
	name  string
	limit float64
	// core computes h from a = |x|, and g where wanted; it may use the registers r.
	core func(v *vec, a, h, g string, one string, r []string)
}

var activations = []activation{
	{"gelu", 15, geluCore},
	{"geluTanh", 11, geluTanhCore},
	{"quickGELU", 70, quickGELUCore},
}

// Registers: 0 x, 1 a, 2 h, 3 g, 4… for core; 12 limit, 13 one.
func (act *activation) setup(v *vec) (x, a, h, g, limit, one string) {
	v.set(v.k(act.limit), v.r(12))
	v.set(v.k(1), v.r(13))
	return v.r(0), v.r(1), v.r(2), v.r(3), v.r(12), v.r(13)
}

func (act *activation) forward(f *file) {
	f.wide(act.name, append(pointers("dst x"), ints("n")...), nil, func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("n", "CX")
		x, a, h, _, limit, one := act.setup(v)
		v.each(v.lanes(), func(k int) {
			v.load("SI", k, x)
			v.abs(x, a)
			v.op("VMINPS", a, limit, a)
			act.core(v, a, h, "", one, v.regs(4, 6))
			v.blend(x, x, v.bits(0x80000000), x)
			v.op("VFNMADD231PS", h, a, x)
			v.store(x, "DI", k)
		})
	})
}

func (act *activation) backward(f *file) {
	f.wide(act.name+"Grad", append(pointers("dx x dy"), ints("n")...), nil, func(v *vec) {
		v.arg("dx", "DI")
		v.arg("x", "SI")
		v.arg("dy", "DX")
		v.arg("n", "CX")
		x, a, h, g, limit, one := act.setup(v)
		v.each(v.lanes(), func(k int) {
			v.load("SI", k, x)
			v.abs(x, a)
			v.op("VMINPS", a, limit, a)
			act.core(v, a, h, g, one, v.regs(4, 6))
			v.op("VSUBPS", g, one, h)
			v.blend(x, h, g, h)
			v.load("DX", k, a)
			v.op("VMULPS", a, h, h)
			v.store(h, "DI", k)
		})
	})
}

// Minimax coefficients of Φ(-a)·e^(a²/2)/t for t = 1/(1 + 0.32a), 0 ≤ a ≤ 14.6;
// relative error 1.5e-8, and none of their sums cancels much.
var phiPoly = []float64{0.1276537718, 0.1278343693, 0.1129921198, 0.09629538437, 0.03181220267, 0.04469437494, -0.004157206406, -0.09156498463, 0.0707939092, -0.01635394829}

// geluCore: h = Φ(-a), g = h - a·φ(a).
func geluCore(v *vec, a, h, g, one string, r []string) {
	e, lo, t := r[0], r[1], r[2]
	v.op("VMULPS", a, a, e)
	v.op("VMOVAPS", a, lo)
	v.op("VFMSUB213PS", e, a, lo) // what rounding a² lost
	v.op("VMULPS", v.k(-0.5), e, e)
	v.expNegative(e, r[2], r[3], r[4])
	v.op("VMULPS", v.k(-0.5), lo, lo)
	v.op("VFMADD213PS", e, e, lo)
	e = lo // e^(-a²/2)
	v.op("VMOVAPS", one, t)
	v.op("VFMADD231PS", v.k(0.32), a, t)
	v.op("VDIVPS", t, one, t)
	v.horner(t, h, phiPoly)
	v.op("VMULPS", t, h, h)
	v.op("VMULPS", e, h, h)
	if g != "" {
		v.op("VMULPS", v.k(1/math.Sqrt(2*math.Pi)), e, e)
		v.op("VMOVAPS", h, g)
		v.op("VFNMADD231PS", e, a, g)
	}
}

// geluTanhCore: s is the sigmoid of z = 2√(2/π)·(x + 0.044715x³).
func geluTanhCore(v *vec, a, h, g, one string, r []string) {
	c := 2 * math.Sqrt(2/math.Pi)
	z, s := r[0], r[1]
	v.op("VMULPS", a, a, s)
	v.set(v.k(-c), z)
	v.op("VFMADD231PS", v.k(-c*0.044715), s, z)
	v.op("VMULPS", a, z, z)
	if g != "" { // -dz/da
		v.set(v.k(-c), g)
		v.op("VFMADD231PS", v.k(-3*c*0.044715), s, g)
	}
	v.expNegative(z, r[2], r[3], r[4])
	v.sigmoid(z, a, h, g, one, r[1])
}

// quickGELUCore: s is the sigmoid of 1.702x.
func quickGELUCore(v *vec, a, h, g, one string, r []string) {
	const c = 1.702
	rest := c - float64(float32(c))
	z, lo := r[0], r[1]
	v.op("VMULPS", v.k(-c), a, z)
	v.op("VMOVAPS", a, lo)
	v.op("VFMSUB132PS", v.k(-c), z, lo) // what rounding z lost
	v.op("VFMADD231PS", v.k(-rest), a, lo)
	v.expNegative(z, r[2], r[3], r[4])
	v.op("VFMADD213PS", z, z, lo)
	if g != "" {
		v.set(v.k(-c), g)
	}
	v.sigmoid(lo, a, h, g, one, r[0])
}

// sigmoid computes h = s(-z) and, from g = -dz/da, g = h - a·dz/da·h·(1-h), for
// e = e^-z. It clobbers t.
func (v *vec) sigmoid(e, a, h, g, one, t string) {
	v.op("VADDPS", one, e, h)
	v.op("VDIVPS", h, one, t)
	v.op("VMULPS", t, e, h)
	if g != "" {
		v.op("VMULPS", a, g, g)
		v.op("VMULPS", t, g, g)
		v.op("VFMADD213PS", h, h, g)
	}
}
