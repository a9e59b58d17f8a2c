package main

const byteDotsDoc = "first and second = Σ a·b of four rows of a, lda bytes apart, with each of two rows of b, ldb bytes apart, of n bytes, n a multiple of 64 and not 0"

func byteDotsSignature() signature {
	return sign("first, second *int32, a *uint8, b *int8, lda, ldb, n int", "")
}

// bytesFile has products of few rows with many, which are read once and in order, in AVX2 and
// in AVX-512 with VNNI.
func bytesFile() file {
	f := file{name: "bytes", arch: "amd64"}
	f.byteDots("ByteDots", 32, func() {
		f.i("VPCMPEQW Y12, Y12, Y12")
		f.i("VPSRLW $15, Y12, Y12") // ones
	}, func(row string, r int) {
		f.i("VMOVDQU %s, Y8", row)
		for c := range 2 { // pairs of 255·63 do not saturate
			f.i("VPMADDUBSW Y%d, Y8, Y%d", 13+c, 9+c)
			f.i("VPMADDWD Y12, Y%d, Y%[1]d", 9+c)
			f.i("VPADDD Y%d, Y%d, Y%[2]d", 9+c, 2*r+c)
		}
	})
	f.byteDots("ByteDotsVNNI", 64, func() {}, func(row string, r int) {
		f.i("VMOVDQU32 %s, Z8", row)
		for c := range 2 {
			f.i("VPDPBUSD Z%d, Z8, Z%d", 13+c, 2*r+c)
		}
	})
	return f
}

// byteDots has the sums of row r in registers 2r and 2r+1, and b in 13 and 14.
func (f *file) byteDots(name string, step int, begin func(), row func(at string, r int)) {
	s := byteDotsSignature()
	f.declare(name, byteDotsDoc, s)
	v := vec{file: f, signature: s}
	for i, arg := range []string{"first", "second", "a", "b", "lda", "ldb", "n"} {
		v.arg(arg, []string{"DI", "R8", "SI", "DX", "R9", "R10", "CX"}[i])
	}
	f.i("LEAQ (SI)(R9*2), R11")
	f.i("LEAQ (SI)(R9*1), R12")
	f.i("LEAQ (R11)(R9*1), R13")
	for i := range 8 {
		f.i("VPXOR Y%d, Y%[1]d, Y%[1]d", i)
	}
	begin()
	f.i("PCALIGN $32")
	f.p("loop:")
	move, reg := "VMOVDQU", "Y"
	if step == 64 {
		move, reg = "VMOVDQU32", "Z"
	}
	f.i("%s (DX), %s13", move, reg)
	f.i("%s (DX)(R10*1), %s14", move, reg)
	for r, at := range []string{"(SI)", "(R12)", "(R11)", "(R13)"} {
		row(at, r)
	}
	for _, ahead := range []string{"(SI)(R9*8)", "(R12)(R9*8)", "(R11)(R9*8)", "(R13)(R9*8)"} {
		f.i("PREFETCHT0 %s", ahead)
	}
	for _, pointer := range []string{"SI", "R11", "R12", "R13", "DX"} {
		f.i("ADDQ $%d, %s", step, pointer)
	}
	f.i("SUBQ $%d, CX", step)
	f.i("JNZ loop")
	for i := 0; i < 8 && step == 64; i++ {
		f.i("VEXTRACTI64X4 $1, Z%d, Y8", i)
		f.i("VPADDD Y8, Y%d, Y%[1]d", i)
	}
	for c, to := range []string{"DI", "R8"} {
		f.i("VPHADDD Y%d, Y%d, Y%[2]d", 2+c, c)
		f.i("VPHADDD Y%d, Y%d, Y%[2]d", 6+c, 4+c)
		f.i("VPHADDD Y%d, Y%d, Y%[2]d", 4+c, c)
		f.i("VEXTRACTI128 $1, Y%d, X8", c)
		f.i("VPADDD X8, X%d, X%[1]d", c)
		f.i("VMOVDQU X%d, (%s)", c, to)
	}
	f.ret()
}

// bytesFileNEON takes 128 off each of a's bytes, which makes them signed, and adds 128 times the
// sums of b again, from V16 and V17. The sums of row r are in V2r and V2r+1.
func bytesFileNEON() file {
	const sdot = 0x4e809400
	f := file{name: "bytes", arch: "arm64"}
	s := byteDotsSignature()
	f.declare("ByteDots", byteDotsDoc, s)
	f.arguments(s, "first", "second", "a", "b", "lda", "ldb", "n")
	f.i("ADD R3, R5, R7") // the second row of b
	f.i("MOVD R2, R8")
	for r := 1; r < 4; r++ {
		f.i("ADD R4, R%d, R%d", 7+r, 8+r)
	}
	f.i("VMOVI $128, V31.B16")
	for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 7, 16, 17} {
		f.i("VEOR V%d.B16, V%[1]d.B16, V%[1]d.B16", i)
	}
	f.p("loop:")
	for c, from := range []int{3, 7} {
		f.i("VLD1.P 16(R%d), [V%d.B16]", from, 20+c)
		f.word(sdot, 31, 20+c, 16+c)
	}
	for r := range 4 {
		f.i("VLD1.P 16(R%d), [V%d.B16]", 8+r, 24+r)
		f.i("VEOR V31.B16, V%d.B16, V%[1]d.B16", 24+r)
		for c := range 2 {
			f.word(sdot, 24+r, 20+c, 2*r+c)
		}
	}
	f.i("SUBS $16, R6, R6")
	f.i("BNE loop")
	for i := range 8 {
		f.i("VSUB V%d.S4, V%d.S4, V%[2]d.S4", 16+i%2, i)
	}
	for c := range 2 {
		f.i("VADDP V%d.S4, V%d.S4, V%[2]d.S4", 2+c, c)
		f.i("VADDP V%d.S4, V%d.S4, V%[2]d.S4", 6+c, 4+c)
		f.i("VADDP V%d.S4, V%d.S4, V%[2]d.S4", 4+c, c)
		f.i("VST1 [V%d.S4], (R%d)", c, c)
	}
	f.i("RET")
	f.p("")
	return f
}
