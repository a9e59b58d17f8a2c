package main

// lanes is the number of partial sums of a reduction: element i belongs to sum
// i mod lanes.
const lanes = 32

// sums has the reductions of a row.
func sums(f *file) {
	f.vector("Sum", "total = Σ x", sign("x []float32", "total float32"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("x_len", "CX")
		acc := v.accumulators(lanes)
		v.each(lanes, func(k int) {
			v.load("SI", k, v.r(8))
			v.op("VADDPS", v.r(8), acc[k], acc[k])
		})
		v.fold("VADDPS", acc, "total")
	})
	f.vector("Dot", "total = Σ a·b", sign("a, b []float32", "total float32"), func(v *vec) {
		v.arg("a", "SI")
		v.arg("b", "DX")
		v.arg("a_len", "CX")
		acc := v.accumulators(lanes)
		v.each(lanes, func(k int) {
			v.load("SI", k, v.r(8))
			v.load("DX", k, v.r(9))
			v.op("VFMADD231PS", v.r(8), v.r(9), acc[k])
		})
		v.fold("VADDPS", acc, "total")
	})
	// 0·x is NaN where x is not finite, and stays so in a sum.
	f.vector("ZeroSum", "zero = Σ 0·x, which is NaN where any x is not finite", sign("x []float32", "zero float32"), func(v *vec) {
		v.arg("x", "SI")
		v.arg("x_len", "CX")
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
