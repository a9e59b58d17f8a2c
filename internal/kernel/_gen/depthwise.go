package main

import "fmt"

// depthwise has what a convolution of each channel by itself is made of: outputs side by
// side from what lies under the kernel, and for the weight's gradient sums of products.
func depthwise(f *file) {
	for _, pixels := range []int{1, 4} {
		doc := "dst[j] = bias[j] + Σ x[r·Pitch+c·Channels+j]·w[(r·Cols+c)·Channels+j] over r and c, for each of the first Channels j"
		if pixels > 1 {
			doc += fmt.Sprintf("; the same of %d outputs, Channels apart, Step apart in x", pixels)
		}
		f.wide(fmt.Sprintf("Taps%d", pixels), doc, sign("dst, x, w, bias []float32, s Taps", ""), func(v *vec) { v.taps(pixels) })
	}
	f.vector("AddProducts", "dst[j] += Σ_i x[i·ldx+j]·y[i·ldy+j] over rows i, at least one", sign("dst, x, y []float32, rows, ldx, ldy int", ""), func(v *vec) {
		v.arg("dst", "DI")
		v.arg("x", "SI")
		v.arg("y", "DX")
		v.arg("dst_len", "CX")
		v.arg("rows", "R9")
		v.arg("ldx", "R10")
		v.arg("ldy", "R12")
		v.int("SHL", "$2", "R10")
		v.int("SHL", "$2", "R12")
		acc := v.regs(0, 4)
		v.eachColumns(4*v.lanes(), func(vectors []int) {
			for _, k := range vectors {
				v.load("DI", k, acc[k])
			}
			v.rowLoop(func() {
				for _, k := range vectors {
					v.load("R11", k, v.r(8))
					v.load("R13", k, v.r(9))
					v.op("VFMADD231PS", v.r(8), v.r(9), acc[k])
				}
				v.int("ADD", "R10", "R11")
				v.int("ADD", "R12", "R13")
			}, func() {
				v.int("MOV", "SI", "R11")
				v.int("MOV", "DX", "R13")
			})
			for _, k := range vectors {
				v.store(acc[k], "DI", k)
			}
		})
	})
}

// taps writes the function for so many outputs, of which each block of channels stays in
// registers while the kernel is walked over.
func (v *vec) taps(pixels int) {
	v.arg("dst", "DI")
	v.arg("x", "SI")
	v.arg("w", "DX")
	v.arg("s_Channels", "CX")
	v.arg("s_Channels", "R10")
	v.arg("s_Step", "R9")
	v.int("SHL", "$2", "R10")
	acc := func(p, k int) string { return v.r(2*p + k) }
	weight := func(k int) string { return v.r(2*pixels + k) }
	v.eachColumns(2*v.lanes(), func(vectors []int) {
		outputs := func(do func(p, k int)) {
			v.int("MOV", "DI", "R11")
			for p := range pixels {
				for _, k := range vectors {
					do(p, k)
				}
				if p < pixels-1 {
					v.int("ADD", "R10", "R11")
				}
			}
		}
		v.arg("bias", "R11")
		for p := range pixels {
			for _, k := range vectors {
				v.load("R11", k, acc(p, k))
			}
		}
		v.int("MOV", "SI", "R13")
		v.int("MOV", "DX", "R12")
		v.arg("s_Rows", "R8")
		row, col := v.label(), v.label()
		v.p("%s:", row)
		v.int("MOV", "R13", "R11")
		v.arg("s_Cols", "BX")
		v.p("%s:", col)
		for _, k := range vectors {
			v.load("R12", k, weight(k))
		}
		v.int("MOV", "R11", "R15")
		for p := range pixels {
			for _, k := range vectors {
				v.fmaLoad("R15", k, weight(k), acc(p, k), v.r(12+k))
			}
			if p < pixels-1 {
				v.int("ADD", "R9", "R15")
			}
		}
		v.int("ADD", "R10", "R11")
		v.int("ADD", "R10", "R12")
		v.int("SUB", "$1", "BX")
		v.branch("JNZ", col)
		v.arg("s_Pitch", "R15")
		v.int("ADD", "R15", "R13")
		v.int("SUB", "$1", "R8")
		v.branch("JNZ", row)
		outputs(func(p, k int) { v.store(acc(p, k), "R11", k) })
	})
}

// fmaLoad is acc += y·(the k-th vector at base); it may use another register.
func (v *vec) fmaLoad(base string, k int, y, acc, temp string) {
	if v.neon || v.masked {
		v.load(base, k, temp)
		v.op("VFMADD231PS", temp, y, acc)
		return
	}
	v.i("VFMADD231PS %s, %s, %s", v.address(base, k), y, acc)
}
