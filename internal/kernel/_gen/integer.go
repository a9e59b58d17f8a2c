package main

import "fmt"

// integerFile has what products of integers are made of, in AVX2 and in AVX-512 with VNNI.
// All sums are of integers that no step rounds or saturates, so they are the same however
// they are ordered.
func integerFile() file {
	f := file{name: "integer", arch: "amd64"}
	for rows := 1; rows <= 4; rows++ {
		f.integerTile(rows)
	}
	for _, rows := range []int{1, 2, 4, 8} {
		for panels := 1; panels <= 2; panels++ {
			f.integerTileVNNI(rows, panels)
		}
	}
	f.quantize()
	f.dequantize()
	f.largest()
	f.deviation()
	return f
}

func (f *file) integerArguments(name string, rows, panels int) {
	doc := fmt.Sprintf("acc, %d rows of %d int32, = Σ a·b over %s groups of four, of rows of a, lda bytes apart, and of panels of b, groups·64 bytes apart; %s is at least one",
		rows, 16*panels, "groups", "groups")
	s := sign("acc *int32, a *uint8, b *int8, lda, groups int", "")
	f.declare(name, doc, s)
	v := vec{file: f, signature: s}
	v.arg("acc", "DI")
	v.arg("a", "SI")
	v.arg("b", "DX")
	v.arg("lda", "R8")
	v.arg("groups", "CX")
	for i, reg := range []string{"R9", "R10", "R11"} { // the rows 2, 4 and 6
		if 2*(i+1) < rows {
			from := []string{"SI", "R9", "R10"}[i]
			f.i("LEAQ (%s)(R8*2), %s", from, reg)
		}
	}
}

// rowAt is where a row's next group lies.
func rowAt(i int) string {
	base := []string{"SI", "R9", "R10", "R11"}[i/2]
	if i%2 == 0 {
		return "(" + base + ")"
	}
	return "(" + base + ")(R8*1)"
}

func (f *file) advance(rows int) {
	for i := 0; i < rows; i += 2 {
		f.i("ADDQ $4, %s", []string{"SI", "R9", "R10", "R11"}[i/2])
	}
	f.i("ADDQ $64, DX")
}

// integerTile multiplies pairs of bytes into int16, of which two of 255·63 do not
// saturate, and adds pairs of those into int32.
func (f *file) integerTile(rows int) {
	f.integerArguments(fmt.Sprintf("IntegerTile%d", rows), rows, 1)
	for i := range 2 * rows {
		f.i("VPXOR Y%d, Y%d, Y%d", i, i, i)
	}
	f.i("VPCMPEQW Y12, Y12, Y12")
	f.i("VPSRLW $15, Y12, Y12") // ones
	f.i("PCALIGN $32")
	f.p("loop:")
	f.i("VMOVDQU (DX), Y13")
	f.i("VMOVDQU 32(DX), Y14")
	for i := range rows {
		f.i("VPBROADCASTD %s, Y15", rowAt(i))
		f.i("VPMADDUBSW Y13, Y15, Y11")
		f.i("VPMADDUBSW Y14, Y15, Y15")
		f.i("VPMADDWD Y12, Y11, Y11")
		f.i("VPMADDWD Y12, Y15, Y15")
		f.i("VPADDD Y11, Y%d, Y%d", 2*i, 2*i)
		f.i("VPADDD Y15, Y%d, Y%d", 2*i+1, 2*i+1)
	}
	f.advance(rows)
	f.i("DECQ CX")
	f.i("JNZ loop")
	for i := range 2 * rows {
		f.i("VMOVDQU Y%d, %d(DI)", i, 32*i)
	}
	f.ret()
}

func (f *file) integerTileVNNI(rows, panels int) {
	f.integerArguments(fmt.Sprintf("IntegerTile%dx%dVNNI", rows, panels), rows, panels)
	if panels == 2 {
		f.i("MOVQ CX, R12")
		f.i("SHLQ $6, R12")
		f.i("ADDQ DX, R12") // the second panel
	}
	for i := range rows * panels {
		f.i("VPXORD Z%d, Z%d, Z%d", i, i, i)
	}
	f.i("PCALIGN $32")
	f.p("loop:")
	f.i("VMOVDQU32 (DX), Z30")
	if panels == 2 {
		f.i("VMOVDQU32 (R12), Z31")
		f.i("ADDQ $64, R12")
	}
	for i := range rows {
		f.i("VPBROADCASTD %s, Z%d", rowAt(i), 16+i)
		for p := range panels {
			f.i("VPDPBUSD Z%d, Z%d, Z%d", 30+p, 16+i, i*panels+p)
		}
	}
	f.advance(rows)
	f.i("DECQ CX")
	f.i("JNZ loop")
	for i := range rows * panels {
		f.i("VMOVDQU32 Z%d, %d(DI)", i, 64*i)
	}
	f.ret()
}

// quantize rounds to the nearest integer, the even one of two.
func (f *file) quantize() {
	s := sign("dst *uint8, x *float32, n int, inv float32", "")
	f.declare("Quantize", "dst = 128 + the integer next to x·inv, between -128 and 127, of n numbers, n a multiple of 32 and not 0", s)
	v := vec{file: f, signature: s}
	v.arg("dst", "DI")
	v.arg("x", "SI")
	v.arg("n", "CX")
	f.i("VBROADCASTSS %s, Y15", v.ref("inv"))
	f.i("VPCMPEQB Y14, Y14, Y14")
	f.i("VPSLLW $7, Y14, Y14")
	f.i("VPACKSSWB Y14, Y14, Y14") // bytes of 128
	f.i("VMOVDQU order<>(SB), Y13")
	f.p("loop:")
	for k := range 4 {
		f.i("VMULPS %d(SI), Y15, Y%d", 32*k, k)
		f.i("VCVTPS2DQ Y%d, Y%d", k, k)
	}
	f.i("VPACKSSDW Y1, Y0, Y0")
	f.i("VPACKSSDW Y3, Y2, Y2")
	f.i("VPACKSSWB Y2, Y0, Y0")
	f.i("VPXOR Y14, Y0, Y0")
	f.i("VPERMD Y0, Y13, Y0")
	f.i("VMOVDQU Y0, (DI)")
	f.i("ADDQ $128, SI")
	f.i("ADDQ $32, DI")
	f.i("SUBQ $32, CX")
	f.i("JNZ loop")
	f.ret()
	f.data.WriteString("// Packing leaves groups of four bytes in this order.\n")
	for i, pair := range []string{"0x0000000400000000", "0x0000000500000001", "0x0000000600000002", "0x0000000700000003"} {
		fmt.Fprintf(&f.data, "DATA order<>+%d(SB)/8, $%s\n", 8*i, pair)
	}
	f.data.WriteString("GLOBL order<>(SB), RODATA|NOPTR, $32\n\n")
}

func (f *file) dequantize() {
	s := sign("c, scale, bias *float32, acc, shift *int32, n int, s float32", "")
	f.declare("Dequantize", "c = (acc-shift)·(s·scale) + bias, of n numbers, n a multiple of 8 and not 0", s)
	v := vec{file: f, signature: s}
	v.arg("c", "DI")
	v.arg("scale", "SI")
	v.arg("bias", "DX")
	v.arg("acc", "R8")
	v.arg("shift", "R9")
	v.arg("n", "CX")
	f.i("VBROADCASTSS %s, Y15", v.ref("s"))
	f.i("XORQ AX, AX")
	f.p("loop:")
	f.i("VMOVDQU (R8)(AX*4), Y0")
	f.i("VPSUBD (R9)(AX*4), Y0, Y0")
	f.i("VCVTDQ2PS Y0, Y0")
	f.i("VMULPS (SI)(AX*4), Y15, Y1")
	f.i("VMULPS Y1, Y0, Y0")
	f.i("VADDPS (DX)(AX*4), Y0, Y0")
	f.i("VMOVUPS Y0, (DI)(AX*4)")
	f.i("ADDQ $8, AX")
	f.i("CMPQ AX, CX")
	f.i("JLT loop")
	f.ret()
}

// largest compares magnitudes as integers, among which a NaN is above infinity.
func (f *file) largest() {
	s := sign("x *float32, n int", "bits uint32")
	f.declare("LargestBits", "bits = the largest of x without their signs, as bits, of n numbers, n a multiple of 32 and not 0", s)
	v := vec{file: f, signature: s}
	v.arg("x", "SI")
	v.arg("n", "CX")
	f.i("VPCMPEQD Y15, Y15, Y15")
	f.i("VPSRLD $1, Y15, Y15")
	for k := range 4 {
		f.i("VPXOR Y%d, Y%d, Y%d", k, k, k)
	}
	f.p("loop:")
	for k := range 4 {
		f.i("VPAND %d(SI), Y15, Y%d", 32*k, 4+k)
		f.i("VPMAXUD Y%d, Y%d, Y%d", 4+k, k, k)
	}
	f.i("ADDQ $128, SI")
	f.i("SUBQ $32, CX")
	f.i("JNZ loop")
	f.i("VPMAXUD Y1, Y0, Y0")
	f.i("VPMAXUD Y3, Y2, Y2")
	f.i("VPMAXUD Y2, Y0, Y0")
	f.i("VEXTRACTI128 $1, Y0, X1")
	f.i("VPMAXUD X1, X0, X0")
	f.i("VPSRLDQ $8, X0, X1")
	f.i("VPMAXUD X1, X0, X0")
	f.i("VPSRLDQ $4, X0, X1")
	f.i("VPMAXUD X1, X0, X0")
	f.i("VMOVD X0, AX")
	f.i("MOVL AX, %s", v.ref("bits"))
	f.ret()
}

func (f *file) deviation() {
	s := sign("x *uint8, n int", "sum int")
	f.declare("Deviation", "sum = Σ |x-128|, of n bytes, n a multiple of 32 and not 0", s)
	v := vec{file: f, signature: s}
	v.arg("x", "SI")
	v.arg("n", "CX")
	f.i("VPCMPEQB Y15, Y15, Y15")
	f.i("VPSLLW $7, Y15, Y15")
	f.i("VPACKSSWB Y15, Y15, Y15") // bytes of 128
	f.i("VPXOR Y0, Y0, Y0")
	f.p("loop:")
	f.i("VPSADBW (SI), Y15, Y1")
	f.i("VPADDQ Y1, Y0, Y0")
	f.i("ADDQ $32, SI")
	f.i("SUBQ $32, CX")
	f.i("JNZ loop")
	f.i("VEXTRACTI128 $1, Y0, X1")
	f.i("VPADDQ X1, X0, X0")
	f.i("VPSRLDQ $8, X0, X1")
	f.i("VPADDQ X1, X0, X0")
	f.i("VMOVQ X0, AX")
	f.i("MOVQ AX, %s", v.ref("sum"))
	f.ret()
}
