package main

import "math"

// activationFunctions has the activations and their derivatives.
func activationFunctions(f *file) {
	for _, act := range activations {
		act.forward(f)
		act.backward(f)
	}
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
	{"GELU", 15, geluCore},
	{"GELUTanh", 11, geluTanhCore},
	{"QuickGELU", 70, quickGELUCore},
	{"SiLU", 119, siluCore},
}

// Registers: 0 x, 1 a, 2 h, 3 g, 4… for core; 12 limit, 13 one.
func (act *activation) setup(v *vec) (x, a, h, g, limit, one string) {
	v.set(v.k(act.limit), v.r(12))
	v.set(v.k(1), v.r(13))
	return v.r(0), v.r(1), v.r(2), v.r(3), v.r(12), v.r(13)
}

func (act *activation) forward(f *file) {
	f.wide(act.name, "dst = act(x)", sign("dst, x []float32", ""), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("dst_len", "CX")
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
	f.wide(act.name+"Grad", "dx = dy·act'(x)", sign("dx, x, dy []float32", ""), func(v *vec) {
		v.arg("dx", "DI")
		v.arg("x", "SI")
		v.arg("dy", "DX")
		v.arg("dx_len", "CX")
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

// siluCore: s is the sigmoid of x.
func siluCore(v *vec, a, h, g, one string, r []string) {
	z := r[0]
	v.op("VMULPS", v.k(-1), a, z)
	v.expNegative(z, r[2], r[3], r[4])
	if g != "" {
		v.set(v.k(-1), g)
	}
	v.sigmoid(z, a, h, g, one, r[1])
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
