package main

import "fmt"

// dotsFile has the products of several queries with rows, each pair summed as Dot sums it. A
// row is read once for all the queries, whose partial sums stay in registers. NEON's
// are half of what even two queries would need beside their mask.
func dotsFile() file {
	f := file{name: "dots", arch: "amd64"}
	for _, queries := range []int{1, 3, 6} {
		write := f.vector
		if queries == 6 { // more than AVX2 has registers for
			write = f.only512
		}
		doc := fmt.Sprintf("dst[q·ld+r] = Σ query·row of %d queries, one behind the other in q, and of rows, at least one", queries)
		write(fmt.Sprintf("Dots%d", queries), doc, sign("dst, q, rows []float32, dim, n, ld int", ""), func(v *vec) { v.dots(queries) })
	}
	f.finish()
	return f
}

func (v *vec) dots(queries int) {
	bases := []string{"SI", "R8", "R9", "R10", "R11", "R12"}[:queries]
	v.arg("dst", "DI")
	v.arg("rows", "DX")
	v.arg("n", "BX")
	v.arg("ld", "R13")
	v.arg("dim", "R15")
	v.int("SHL", "$2", "R13")
	v.int("SHL", "$2", "R15")
	v.arg("q", "SI")
	for i := 1; i < queries; i++ {
		v.int("MOV", bases[i-1], bases[i])
		v.int("ADD", "R15", bases[i])
	}
	per := lanes / v.lanes()
	row, temp := v.r(12), v.r(13)
	next := v.label()
	v.p("%s:", next)
	for i := range queries * per {
		v.zero(v.r(i))
	}
	v.arg("dim", "CX")
	v.each(lanes, func(k int) {
		v.load("DX", k, row)
		for i, base := range bases {
			v.fmaLoad(base, k, row, v.r(i*per+k), temp)
		}
	})
	v.int("MOV", "DI", "AX")
	for i := range bases {
		acc := v.regs(i*per, per)
		v.join("VADDPS", acc)
		v.i("VMOVSS X%d, (AX)", i*per)
		v.int("ADD", "R13", "AX")
	}
	v.int("ADD", "R15", "DX")
	v.int("ADD", "$4", "DI")
	v.int("SUB", "$1", "BX")
	v.branch("JNZ", next)
}
