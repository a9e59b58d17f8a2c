package main

// columns has the functions that add up rows: dst += Σ_i x[i,:], over few
// enough rows that float32 is exact enough.
func columns(f *file) {
	f.vector("AddColumns", "dst[j] += Σ_i x[i·ld+j] over rows i, at least one", sign("dst, x []float32, rows, ld int", ""), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("dst_len", "CX")
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
