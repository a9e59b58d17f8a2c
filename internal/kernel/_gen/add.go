package main

// additions has the sums and products of two rows.
func additions(f *file) {
	for _, x := range []struct{ name, sign, op string }{{"Add", "+", "VADDPS"}, {"Mul", "·", "VMULPS"}} {
		f.vector(x.name, "dst = a "+x.sign+" b", sign("dst, a, b []float32", ""), func(v *vec) {
			v.arg("dst", "DI")
			v.arg("a", "SI")
			v.arg("b", "DX")
			v.arg("dst_len", "CX")
			v.each(v.lanes(), func(k int) {
				v.load("SI", k, v.r(0))
				v.load("DX", k, v.r(1))
				v.op(x.op, v.r(1), v.r(0), v.r(0))
				v.store(v.r(0), "DI", k)
			})
		})
	}
	f.vector("Axpy", "dst += alpha·x", sign("dst []float32, alpha float32, x []float32", ""), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("dst_len", "CX")
		v.scalar("alpha", v.r(2))
		v.each(v.lanes(), func(k int) {
			v.load("SI", k, v.r(0))
			v.load("DI", k, v.r(1))
			v.op("VFMADD231PS", v.r(2), v.r(0), v.r(1))
			v.store(v.r(1), "DI", k)
		})
	})
	f.vector("Scale", "dst *= alpha", sign("dst []float32, alpha float32", ""), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("dst_len", "CX")
		v.scalar("alpha", v.r(1))
		v.each(v.lanes(), func(k int) {
			v.load("DI", k, v.r(0))
			v.op("VMULPS", v.r(1), v.r(0), v.r(0))
			v.store(v.r(0), "DI", k)
		})
	})
}
