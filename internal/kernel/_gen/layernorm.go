package main

// layerNorm has the passes of a layer normalisation and of its gradients.
func layerNorm(f *file) {
	f.vector("SquaredDeviations", "total = Σ (x-mean)²", sign("x []float32, mean float32", "total float32"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("x_len", "CX")
		v.scalar("mean", v.r(9))
		acc := v.accumulators(lanes)
		v.each(lanes, func(k int) {
			v.load("SI", k, v.r(8))
			v.op("VSUBPS", v.r(9), v.r(8), v.r(8))
			v.only(v.r(8), k)
			v.op("VFMADD231PS", v.r(8), v.r(8), acc[k])
		})
		v.fold("VADDPS", acc, "total")
	})
	f.vector("Normalize", "dst = (x-mean)·rstd·gamma + beta", sign("dst, x, gamma, beta []float32, mean, rstd float32", ""), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("gamma", "R8")
		v.arg("beta", "R9")
		v.arg("dst_len", "CX")
		v.scalar("mean", v.r(4))
		v.scalar("rstd", v.r(5))
		v.each(v.lanes(), func(k int) {
			v.load("SI", k, v.r(0))
			v.op("VSUBPS", v.r(4), v.r(0), v.r(0))
			v.op("VMULPS", v.r(5), v.r(0), v.r(0))
			v.load("R8", k, v.r(1))
			v.load("R9", k, v.r(2))
			v.op("VFMADD213PS", v.r(2), v.r(1), v.r(0))
			v.store(v.r(0), "DI", k)
		})
	})
	f.vector("NormalizeSums", "total = Σ g, dot = Σ g·x̂, where g = dy·gamma and x̂ = (x-mean)·rstd", sign("x, dy, gamma []float32, mean, rstd float32", "total, dot float32"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("dy", "DX")
		v.arg("gamma", "R8")
		v.arg("x_len", "CX")
		n := 16 / v.lanes()
		total, dot := v.regs(0, n), v.regs(n, n)
		for _, r := range append(total, dot...) {
			v.zero(r)
		}
		v.scalar("mean", v.r(8))
		v.scalar("rstd", v.r(9))
		v.each(16, func(k int) {
			g, x := v.r(10), v.r(11)
			v.load("DX", k, g)
			v.load("R8", k, x)
			v.op("VMULPS", x, g, g)
			v.load("SI", k, x)
			v.op("VSUBPS", v.r(8), x, x)
			v.op("VMULPS", v.r(9), x, x)
			v.op("VADDPS", g, total[k], total[k])
			v.op("VFMADD231PS", g, x, dot[k])
		})
		v.fold("VADDPS", total, "total")
		v.fold("VADDPS", dot, "dot")
	})
	f.vector("NormalizeGrad", "dx = rstd·(g - total - x̂·dot), where g = dy·gamma and x̂ = (x-mean)·rstd", sign("dx, x, dy, gamma []float32, mean, rstd, total, dot float32", ""), func(v *vec) {
		v.arg("dx", "DI")
		v.arg("x", "SI")
		v.arg("dy", "DX")
		v.arg("gamma", "R8")
		v.arg("dx_len", "CX")
		for i, s := range []string{"mean", "rstd", "total", "dot"} {
			v.scalar(s, v.r(8+i))
		}
		v.each(v.lanes(), func(k int) {
			g, x := v.r(0), v.r(1)
			v.load("DX", k, g)
			v.load("R8", k, x)
			v.op("VMULPS", x, g, g)
			v.load("SI", k, x)
			v.op("VSUBPS", v.r(8), x, x)
			v.op("VMULPS", v.r(9), x, x)
			v.op("VSUBPS", v.r(10), g, g)
			v.op("VFNMADD231PS", x, v.r(11), g)
			v.op("VMULPS", v.r(9), g, g)
			v.store(g, "DI", k)
		})
	})
	const params = "dgamma[j] += Σ_i dy·x̂ and dbeta[j] += Σ_i dy, over len(mean) rows, at least one, ld apart"
	f.vector("NormalizeParams", params, sign("dgamma, dbeta, x, dy, mean, rstd []float32, ld int", ""), func(v *vec) {
		v.arg("dgamma", "DI")
		v.arg("dbeta", "R8")
		v.arg("x", "SI")
		v.arg("dy", "DX")
		v.arg("dgamma_len", "CX")
		v.arg("mean_len", "R9")
		v.arg("ld", "R10")
		v.int("SHL", "$2", "R10")
		block := 4 * v.lanes()
		dg, db := v.regs(0, 4), v.regs(4, 4)
		v.eachColumns(block, func(vectors []int) {
			for _, k := range vectors {
				v.zero(dg[k])
				v.zero(db[k])
			}
			x, dy, mean, rstd := v.r(8), v.r(9), v.r(10), v.r(11)
			v.rowLoop(func() {
				v.spread("R13", mean)
				v.spread("R15", rstd)
				for _, k := range vectors {
					v.load("R11", k, x)
					v.load("R12", k, dy)
					v.op("VSUBPS", mean, x, x)
					v.op("VMULPS", rstd, x, x)
					v.op("VFMADD231PS", x, dy, dg[k])
					v.op("VADDPS", dy, db[k], db[k])
				}
				v.int("ADD", "R10", "R11")
				v.int("ADD", "R10", "R12")
				v.int("ADD", "$4", "R13")
				v.int("ADD", "$4", "R15")
			}, func() {
				v.int("MOV", "SI", "R11")
				v.int("MOV", "DX", "R12")
				v.arg("mean", "R13")
				v.arg("rstd", "R15")
			})
			for _, k := range vectors {
				v.load("DI", k, x)
				v.op("VADDPS", x, dg[k], dg[k])
				v.store(dg[k], "DI", k)
				v.load("R8", k, x)
				v.op("VADDPS", x, db[k], db[k])
				v.store(db[k], "R8", k)
			}
		})
	})
}
