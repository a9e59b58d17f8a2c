package main

import "fmt"

// packFile has what packing needs: a transpose for a transposed B, and copies for
// the other operands, in vectors as long as the tiles are high or wide.
func packFile() file {
	f := file{name: "pack", arch: "amd64"}
	transpose(&f)
	for _, lanes := range []int{6, 8, 16, 48} {
		copyVectors(&f, lanes)
	}
	ask(&f)
	return f
}

// ask asks for rows of n floats, ld apart, into the second-level cache.
func ask(f *file) {
	v := f.vec("Ask", "asks for rows of n floats, one at least, ld apart, into the second-level cache", sign("src *float32, ld, rows, n int", ""))
	v.arg("src", "SI")
	v.arg("ld", "R10")
	v.arg("rows", "CX")
	v.arg("n", "R11")
	f.i("SHLQ $2, R10")
	f.i("SHLQ $2, R11")
	f.p("row:")
	f.i("MOVQ SI, AX")
	f.i("LEAQ (SI)(R11*1), BX")
	f.p("line:")
	f.i("PREFETCHT1 (AX)")
	f.i("ADDQ $64, AX")
	f.i("CMPQ AX, BX")
	f.i("JLT line")
	f.i("ADDQ R10, SI")
	f.i("DECQ CX")
	f.i("JNZ row")
	f.i("RET")
	f.p("")
}

// transpose copies a block of 8 × 8·n8, rows ld elements apart, so that the
// elements of one source column lie side by side and columns width elements apart.
func transpose(f *file) {
	v := f.vec("Transpose8", "dst[c·width+r] = src[r·ld+c] for 8 rows and 8·n8 columns",
		sign("dst []float32, width int, src []float32, ld, n8 int", ""))
	v.arg("dst", "DI")
	v.arg("width", "R8")
	v.arg("src", "SI")
	v.arg("ld", "R10")
	v.arg("n8", "CX")
	f.i("SHLQ $2, R8")
	f.i("SHLQ $2, R10")
	f.i("LEAQ (SI)(R10*2), R11")
	f.i("ADDQ R10, R11") // row 3
	f.i("LEAQ (R11)(R10*2), R12")
	f.i("ADDQ R10, R12") // row 6
	bases := []string{"SI", "R11", "R12"}
	f.p("loop:")
	for r := range 8 {
		at := "(" + bases[r/3] + ")"
		if r%3 > 0 {
			at += fmt.Sprintf("(R10*%d)", r%3)
		}
		f.i("VMOVUPS %s, Y%d", at, r)
	}
	// Pairs of rows, then fours, within each half of 4 columns.
	for r := 0; r < 8; r += 2 {
		f.i("VUNPCKLPS Y%d, Y%d, Y%d", r+1, r, 8+r)
		f.i("VUNPCKHPS Y%d, Y%d, Y%d", r+1, r, 9+r)
	}
	for half := 0; half < 8; half += 4 {
		for pair := range 2 {
			lo, hi := 8+half+pair, 10+half+pair
			f.i("VUNPCKLPD Y%d, Y%d, Y%d", hi, lo, half+2*pair)
			f.i("VUNPCKHPD Y%d, Y%d, Y%d", hi, lo, half+2*pair+1)
		}
	}
	// Y0…Y3 hold columns 0…3 (low half) and 4…7 (high) of rows 0…3; Y4…Y7 of the others.
	for col := range 8 {
		lo, hi := col%4, 4+col%4
		if col < 4 {
			f.i("VINSERTF128 $1, X%d, Y%d, Y8", hi, lo)
		} else {
			f.i("VPERM2F128 $0x31, Y%d, Y%d, Y8", hi, lo)
		}
		f.i("VMOVUPS Y8, (DI)")
		f.i("ADDQ R8, DI")
	}
	f.i("ADDQ $32, SI")
	f.i("ADDQ $32, R11")
	f.i("ADDQ $32, R12")
	f.i("DECQ CX")
	f.i("JNZ loop")
	f.ret()
}

// copyVectors copies rows of n vectors of the given lanes, ld elements apart, so
// that a row's vectors lie across elements apart and the rows down elements apart.
func copyVectors(f *file, lanes int) {
	v := f.vec(fmt.Sprintf("Copy%d", lanes), fmt.Sprintf("dst[r·down+i·across+c] = src[r·ld+%d·i+c] for %d columns c of n vectors i", lanes, lanes),
		sign("dst []float32, down, across int, src []float32, ld, rows, n int", ""))
	v.arg("dst", "DI")
	v.arg("down", "R8")
	v.arg("across", "R9")
	v.arg("src", "SI")
	v.arg("ld", "R10")
	v.arg("rows", "CX")
	v.arg("n", "R11")
	f.i("SHLQ $2, R8")
	f.i("SHLQ $2, R9")
	f.i("SHLQ $2, R10")
	f.p("row:")
	f.i("MOVQ SI, AX")
	f.i("MOVQ DI, BX")
	f.i("MOVQ R11, DX")
	f.p("vector:")
	for at := 0; at < 4*lanes; at += 64 {
		f.i("PREFETCHT0 %d(AX)(R10*8)", at)
	}
	for c := 0; c+8 <= lanes; c += 8 {
		f.i("VMOVUPS %d(AX), Y%d", 4*c, c/8)
	}
	for c := 0; c+8 <= lanes; c += 8 {
		f.i("VMOVUPS Y%d, %d(BX)", c/8, 4*c)
	}
	if lanes == 6 {
		f.i("VMOVUPS (AX), X0")
		f.i("VMOVSD 16(AX), X1")
		f.i("VMOVUPS X0, (BX)")
		f.i("VMOVSD X1, 16(BX)")
	}
	f.i("ADDQ $%d, AX", 4*lanes)
	f.i("ADDQ R9, BX")
	f.i("DECQ DX")
	f.i("JNZ vector")
	f.i("ADDQ R10, SI")
	f.i("ADDQ R8, DI")
	f.i("DECQ CX")
	f.i("JNZ row")
	f.ret()
}
