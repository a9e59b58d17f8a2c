package main

import "math"

// softmax has the passes of a softmax and of its gradient.
func softmax(f *file) {
	f.vector("Max", "top = max x", sign("x []float32", "top float32"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("x_len", "CX")
		lowest := v.r(9)
		v.set(v.k(math.Inf(-1)), lowest)
		acc := v.regs(0, lanes/v.lanes())
		for _, r := range acc {
			v.op("VMOVAPS", lowest, r)
		}
		v.each(lanes, func(k int) {
			x := v.r(8)
			v.load("SI", k, x)
			if v.masked {
				v.blend(v.r(15), lowest, x, x)
			}
			v.op("VMAXPS", x, acc[k], acc[k])
		})
		v.fold("VMAXPS", acc, "top")
	})
	f.wide("ExpSum", "dst = e^(x-top), total = Σ dst, where no x is above top", sign("dst, x []float32, top float32", "total float32"), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("dst_len", "CX")
		acc := v.accumulators(16)
		top, lo := v.r(12), v.r(13)
		v.scalar("top", top)
		v.set(v.k(-105), lo)
		v.each(16, func(k int) {
			x := v.r(4)
			v.load("SI", k, x)
			v.op("VSUBPS", top, x, x)
			v.op("VMAXPS", x, lo, x)
			v.expNegative(x, v.r(5), v.r(6), v.r(7))
			v.only(x, k)
			v.op("VADDPS", x, acc[k], acc[k])
			v.store(x, "DI", k)
		})
		v.fold("VADDPS", acc, "total")
	})
	f.vector("SoftmaxGrad", "dx = scale·p·(dp-dot)", sign("dx, p, dp []float32, dot, scale float32", ""), func(v *vec) {
		v.arg("dx", "DI")
		v.arg("p", "SI")
		v.arg("dp", "DX")
		v.arg("dx_len", "CX")
		v.scalar("dot", v.r(2))
		v.scalar("scale", v.r(3))
		v.each(v.lanes(), func(k int) {
			v.load("SI", k, v.r(0))
			v.load("DX", k, v.r(1))
			v.op("VSUBPS", v.r(2), v.r(1), v.r(1))
			v.op("VMULPS", v.r(3), v.r(0), v.r(0))
			v.op("VMULPS", v.r(1), v.r(0), v.r(0))
			v.store(v.r(0), "DI", k)
		})
	})
}
