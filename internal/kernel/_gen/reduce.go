package main

import "math"

// rowFile has the functions of a row, or of several rows at once.
func rowFile(arch string) file {
	f := file{name: "row", arch: arch, both: true}
	arithmetic(&f)
	reductions(&f)
	softmax(&f)
	layerNorm(&f)
	columns(&f)
	adamW(&f)
	return f.finish()
}

// lanes is the number of partial sums of a reduction: element i belongs to sum
// i mod lanes.
const lanes = 32

func arithmetic(f *file) {
	f.vector("add", append(pointers("dst a b"), ints("n")...), nil, func(v *vec) {
		v.arg("dst", "DI")
		v.arg("a", "SI")
		v.arg("b", "DX")
		v.arg("n", "CX")
		v.each(v.lanes(), func(k int) {
			v.load("SI", k, v.r(0))
			v.load("DX", k, v.r(1))
			v.op("VADDPS", v.r(1), v.r(0), v.r(0))
			v.store(v.r(0), "DI", k)
		})
	})
	f.vector("axpy", append(pointers("dst x"), append(ints("n"), floats("alpha")...)...), nil, func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("n", "CX")
		v.scalar("alpha", v.r(2))
		v.each(v.lanes(), func(k int) {
			v.load("SI", k, v.r(0))
			v.load("DI", k, v.r(1))
			v.op("VFMADD231PS", v.r(2), v.r(0), v.r(1))
			v.store(v.r(1), "DI", k)
		})
	})
	f.vector("scale", append(pointers("dst"), append(ints("n"), floats("alpha")...)...), nil, func(v *vec) {
		v.arg("dst", "DI")
		v.arg("n", "CX")
		v.scalar("alpha", v.r(1))
		v.each(v.lanes(), func(k int) {
			v.load("DI", k, v.r(0))
			v.op("VMULPS", v.r(1), v.r(0), v.r(0))
			v.store(v.r(0), "DI", k)
		})
	})
}

func reductions(f *file) {
	f.vector("sum", append(pointers("x"), ints("n")...), floats("total"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("n", "CX")
		acc := v.accumulators(lanes)
		v.each(lanes, func(k int) {
			v.load("SI", k, v.r(8))
			v.op("VADDPS", v.r(8), acc[k], acc[k])
		})
		v.fold("VADDPS", acc, "total")
	})
	f.vector("dot", append(pointers("a b"), ints("n")...), floats("total"), func(v *vec) {
		v.arg("a", "SI")
		v.arg("b", "DX")
		v.arg("n", "CX")
		acc := v.accumulators(lanes)
		v.each(lanes, func(k int) {
			v.load("SI", k, v.r(8))
			v.load("DX", k, v.r(9))
			v.op("VFMADD231PS", v.r(8), v.r(9), acc[k])
		})
		v.fold("VADDPS", acc, "total")
	})
	// 0·x is NaN where x is not finite, and stays so in a sum.
	f.vector("finite", append(pointers("x"), ints("n")...), floats("zero"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("n", "CX")
		acc := v.accumulators(lanes)
		v.zero(v.r(9))
		v.each(lanes, func(k int) {
			v.load("SI", k, v.r(8))
			v.op("VFMADD231PS", v.r(8), v.r(9), acc[k])
		})
		v.fold("VADDPS", acc, "zero")
	})
}

// accumulators zeroes registers from 0 on for n partial sums.
func (v *vec) accumulators(n int) []string {
	acc := v.regs(0, n/v.lanes())
	for _, r := range acc {
		v.zero(r)
	}
	return acc
}

func softmax(f *file) {
	f.vector("max", append(pointers("x"), ints("n")...), floats("top"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("n", "CX")
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
	f.wide("expSum", append(pointers("dst x"), append(ints("n"), floats("top")...)...), floats("total"), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("n", "CX")
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
	f.vector("softmaxGrad", append(pointers("dx p dp"), append(ints("n"), floats("dot scale")...)...), nil, func(v *vec) {
		v.arg("dx", "DI")
		v.arg("p", "SI")
		v.arg("dp", "DX")
		v.arg("n", "CX")
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

func layerNorm(f *file) {
	f.vector("squares", append(pointers("x"), append(ints("n"), floats("mean")...)...), floats("total"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("n", "CX")
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
	f.vector("normalize", append(pointers("dst x gamma beta"), append(ints("n"), floats("mean rstd")...)...), nil, func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("gamma", "R8")
		v.arg("beta", "R9")
		v.arg("n", "CX")
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
	// total = Σ g and dot = Σ g·x̂, with g = dy·gamma.
	f.vector("normalizeSums", append(pointers("x dy gamma"), append(ints("n"), floats("mean rstd")...)...), floats("total dot"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("dy", "DX")
		v.arg("gamma", "R8")
		v.arg("n", "CX")
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
	// dx = rstd·(g - total - x̂·dot), with the sums divided by n.
	f.vector("normalizeGrad", append(pointers("dx x dy gamma"), append(ints("n"), floats("mean rstd total dot")...)...), nil, func(v *vec) {
		v.arg("dx", "DI")
		v.arg("x", "SI")
		v.arg("dy", "DX")
		v.arg("gamma", "R8")
		v.arg("n", "CX")
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
}

// columns has the functions that add up rows: dst += Σ_i x[i,:], over few
// enough rows that float32 is exact enough.
func columns(f *file) {
	f.vector("addColumns", append(pointers("dst x"), ints("n rows ld")...), nil, func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("n", "CX")
		v.arg("rows", "R9")
		v.arg("ld", "R10")
		v.int("SHL", "$2", "R10")
		block := 4 * v.lanes()
		acc := v.regs(0, 4)
		v.eachColumns(block, func(vectors []int) {
			for _, k := range vectors {
				v.zero(acc[k])
			}
			v.rowLoop(func() {
				for _, k := range vectors {
					v.load("R11", k, v.r(8))
					v.op("VADDPS", v.r(8), acc[k], acc[k])
				}
				v.int("ADD", "R10", "R11")
			}, func() { v.int("MOV", "SI", "R11") })
			for _, k := range vectors {
				v.load("DI", k, v.r(8))
				v.op("VADDPS", v.r(8), acc[k], acc[k])
				v.store(acc[k], "DI", k)
			}
		})
	})
	f.vector("normalizeParams", append(pointers("dgamma dbeta x dy mean rstd"), ints("n rows ld")...), nil, func(v *vec) {
		v.arg("dgamma", "DI")
		v.arg("dbeta", "R8")
		v.arg("x", "SI")
		v.arg("dy", "DX")
		v.arg("n", "CX")
		v.arg("rows", "R9")
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

// eachColumns is each, with a body that does all vectors of a block at once;
// those of a tail come one by one.
func (v *vec) eachColumns(block int, body func(vectors []int)) {
	v.each(block, func(k int) {
		switch {
		case v.masked:
			body([]int{k})
		case k == 0:
			var all []int
			for i := range block / v.lanes() {
				all = append(all, i)
			}
			body(all)
		}
	})
}

// rowLoop runs body R9 times, in BX.
func (v *vec) rowLoop(body, setup func()) {
	setup()
	v.int("MOV", "R9", "BX")
	label := v.label()
	v.p("%s:", label)
	body()
	v.int("SUB", "$1", "BX")
	v.branch("JNZ", label)
}

// adamW: decay = 1-lr·wd, rate = lr/c1, root = 1/√c2.
func adamW(f *file) {
	scalars := "beta1 rest1 beta2 rest2 rate root eps decay grad"
	f.vector("adamW", append(pointers("p dp m1 m2"), append(ints("n"), floats(scalars)...)...), nil, func(v *vec) {
		v.arg("p", "DI")
		v.arg("dp", "SI")
		v.arg("m1", "R8")
		v.arg("m2", "R9")
		v.arg("n", "CX")
		s := map[string]string{}
		for i, name := range []string{"beta1", "rest1", "beta2", "rest2", "rate", "root", "eps", "decay", "grad"} {
			s[name] = v.r(6 + i)
			v.scalar(name, s[name])
		}
		v.each(v.lanes(), func(k int) {
			g, m, vv, p := v.r(0), v.r(1), v.r(2), v.r(3)
			v.load("SI", k, g)
			v.op("VMULPS", s["grad"], g, g)
			v.load("R8", k, m)
			v.op("VMULPS", s["beta1"], m, m)
			v.op("VFMADD231PS", s["rest1"], g, m)
			v.store(m, "R8", k)
			v.load("R9", k, vv)
			v.op("VMULPS", s["beta2"], vv, vv)
			v.op("VMULPS", s["rest2"], g, v.r(4))
			v.op("VFMADD231PS", v.r(4), g, vv)
			v.store(vv, "R9", k)
			v.op("VSQRTPS", vv, vv)
			v.op("VFMADD213PS", s["eps"], s["root"], vv)
			v.op("VMULPS", s["rate"], m, m)
			v.op("VDIVPS", vv, m, m)
			v.load("DI", k, p)
			v.op("VMULPS", s["decay"], p, p)
			v.op("VSUBPS", m, p, p)
			v.store(p, "DI", k)
		})
	})
}
