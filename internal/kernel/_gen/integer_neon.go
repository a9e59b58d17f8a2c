package main

import "fmt"

// integerFileNEON has the products of integers of processors that multiply signed bytes
// four at a time (SDOT).
func integerFileNEON() file {
	f := file{name: "integer", arch: "arm64"}
	f.integerTable("IntegerTiles", 4, 1, f.integerTileNEON)
	f.quantizeNEON()
	f.dequantizeNEON()
	f.largestNEON()
	f.deviationNEON()
	return f
}

// integerTileNEON takes 128 off each of a's bytes, which makes them signed, so that nothing is
// left to be shifted. Sums are in V0…V15, of each row four vectors.
func (f *file) integerTileNEON(name string, rows, _ int) {
	const sdot, bytes128 = 0x4e809400, 31
	f.declare(name, "", sign("t *IntegerTile", ""))
	f.i("MOVD t+0(FP), R0")
	at := func(field string) string {
		return fmt.Sprintf("%d(R0)", structureNamed("IntegerTile").offset(field))
	}
	for i, field := range []string{"A", "Lda", "C", "Ldc", "Rows", "Tiles"} {
		f.i("MOVD %s, R%d", at(field), 8+i)
	}
	f.p("tile:")
	f.i("MOVD R8, R4")
	for r := 1; r < rows; r++ {
		f.i("ADD R9, R%d, R%d", 3+r, 4+r)
	}
	f.i("MOVD %s, R1", at("B"))
	f.i("MOVD %s, R3", at("Groups"))
	f.i("VMOVI $128, V%d.B16", bytes128)
	for i := range 4 * rows {
		f.i("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	f.p("loop:")
	f.i("VLD1.P 64(R1), [V20.B16, V21.B16, V22.B16, V23.B16]")
	for r := range rows {
		f.i("VLD1R.P 4(R%d), [V%d.S4]", 4+r, 24+r)
		f.i("VEOR V%d.B16, V%d.B16, V%d.B16", bytes128, 24+r, 24+r)
		for v := range 4 {
			f.i("WORD $%#x", sdot|uint32(24+r)<<16|uint32(20+v)<<5|uint32(4*r+v))
		}
	}
	f.i("SUBS $1, R3, R3")
	f.i("BNE loop")
	f.i("MOVD %s, R1", at("Scale"))
	f.i("MOVD %s, R2", at("Bias"))
	f.i("VLD1 (R1), [V20.S4, V21.S4, V22.S4, V23.S4]")
	f.i("VLD1 (R2), [V16.S4, V17.S4, V18.S4, V19.S4]")
	for r := range rows {
		f.i("VLD1R.P 4(R12), [V24.S4]")
		for v := range 4 {
			f.word(0x6e20dc00, 24, 20+v, 25)       // FMUL
			f.word(0x4e21d800, 0, 4*r+v, 4*r+v)    // SCVTF
			f.word(0x6e20dc00, 25, 4*r+v, 4*r+v)   // FMUL
			f.word(0x4e20d400, 16+v, 4*r+v, 4*r+v) // FADD
		}
		f.i("VST1 [V%d.S4, V%d.S4, V%d.S4, V%d.S4], (R10)", 4*r, 4*r+1, 4*r+2, 4*r+3)
		f.i("ADD R11, R10, R10")
		f.i("ADD R9, R8, R8")
	}
	f.i("SUBS $1, R13, R13")
	f.i("BNE tile")
	f.i("RET")
	f.p("")
}

// word writes an instruction of two or three registers, of which the assembler knows none.
func (f *file) word(base uint32, m, n, d int) {
	f.i("WORD $%#x", base|uint32(m)<<16|uint32(n)<<5|uint32(d))
}

// arguments loads pointers and numbers of eight bytes into R0, R1, ….
func (f *file) arguments(s signature, names ...string) {
	for i, name := range names {
		f.i("MOVD %s, R%d", s.ref(name), i)
	}
}

func (f *file) quantizeNEON() {
	s := sign("dst *uint8, x *float32, n int, inv float32", "")
	f.declare("Quantize", "dst = 128 + the integer next to x·inv, between -128 and 127, of n numbers, n a multiple of 32 and not 0", s)
	f.arguments(s, "dst", "x", "n")
	f.i("FMOVS %s, F31", s.ref("inv"))
	f.i("VDUP V31.S[0], V31.S4")
	f.i("VMOVI $128, V30.B16")
	f.p("loop:")
	f.i("VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]")
	for i := range 4 {
		f.word(0x6e20dc00, 31, i, i) // FMUL
		f.word(0x4e21a800, 0, i, i)  // FCVTNS
	}
	f.word(0x0e614800, 0, 0, 4) // SQXTN, to V4
	f.word(0x4e614800, 0, 1, 4)
	f.word(0x0e614800, 0, 2, 5)
	f.word(0x4e614800, 0, 3, 5)
	f.word(0x0e214800, 0, 4, 6)
	f.word(0x4e214800, 0, 5, 6)
	f.i("VEOR V30.B16, V6.B16, V6.B16")
	f.i("VST1.P [V6.B16], 16(R0)")
	f.i("SUBS $16, R2, R2")
	f.i("BNE loop")
	f.i("RET")
	f.p("")
}

func (f *file) dequantizeNEON() {
	s := sign("c, scale, bias *float32, acc, shift *int32, n int, s float32", "")
	f.declare("Dequantize", "c = (acc-shift)·(s·scale) + bias, of n numbers, n a multiple of 8 and not 0", s)
	f.arguments(s, "c", "scale", "bias", "acc", "shift", "n")
	f.i("FMOVS %s, F31", s.ref("s"))
	f.i("VDUP V31.S[0], V31.S4")
	f.p("loop:")
	for reg, v := range []int{0, 1, 2, 3} { // scale, bias, acc, shift
		f.i("VLD1.P 16(R%d), [V%d.S4]", 1+reg, v)
	}
	f.word(0x6ea08400, 3, 2, 2)  // SUB
	f.word(0x4e21d800, 0, 2, 2)  // SCVTF
	f.word(0x6e20dc00, 31, 0, 0) // FMUL
	f.word(0x6e20dc00, 0, 2, 2)
	f.word(0x4e20d400, 1, 2, 2) // FADD
	f.i("VST1.P [V2.S4], 16(R0)")
	f.i("SUBS $4, R5, R5")
	f.i("BNE loop")
	f.i("RET")
	f.p("")
}

func (f *file) largestNEON() {
	s := sign("x *float32, n int", "bits uint32")
	f.declare("LargestBits", "bits = the largest of x without their signs, as bits, of n numbers, n a multiple of 32 and not 0", s)
	f.arguments(s, "x", "n")
	f.i("VEOR V4.B16, V4.B16, V4.B16")
	f.p("loop:")
	f.i("VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]")
	for i := range 4 {
		f.word(0x4ea0f800, 0, i, i) // FABS, of a NaN too
		f.word(0x6ea06400, i, 4, 4) // UMAX
	}
	f.i("SUBS $16, R1, R1")
	f.i("BNE loop")
	f.word(0x6eb0a800, 0, 4, 4) // UMAXV
	f.i("FMOVS F4, %s", s.ref("bits"))
	f.i("RET")
	f.p("")
}

func (f *file) deviationNEON() {
	s := sign("x *uint8, n int", "sum int")
	f.declare("Deviation", "sum = Σ |x-128|, of n bytes, n a multiple of 32 and not 0", s)
	f.arguments(s, "x", "n")
	f.i("VMOVI $128, V3.B16")
	f.i("VEOR V2.B16, V2.B16, V2.B16")
	f.p("loop:")
	f.i("VLD1.P 32(R0), [V0.B16, V1.B16]")
	for i := range 2 {
		f.word(0x6e207400, 3, i, i) // UABD
		f.word(0x6e202800, 0, i, i) // UADDLP
		f.word(0x6e606800, 0, i, 2) // UADALP
	}
	f.i("SUBS $32, R1, R1")
	f.i("BNE loop")
	f.word(0x4eb1b800, 0, 2, 2) // ADDV
	f.i("VMOV V2.S[0], R2")
	f.i("MOVWU R2, R2")
	f.i("MOVD R2, %s", s.ref("sum"))
	f.i("RET")
	f.p("")
}
