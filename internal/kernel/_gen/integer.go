package main

import "fmt"

// integerFile has what products of integers are made of, in AVX2 and in AVX-512 with VNNI.
// All sums are of integers that no step rounds or saturates, so they are the same however
// they are ordered.
func integerFile() file {
	f := file{name: "integer", arch: "amd64"}
	f.integerTable("IntegerTiles", 4, 1, f.integerTile)
	f.integerTable("IntegerTilesVNNI", 12, 2, f.integerTileVNNI)
	f.quantize()
	f.dequantize()
	f.largest()
	f.deviation()
	return f
}

// integerTable writes the Go table of an instruction set's tiles. emit writes one of them.
func (f *file) integerTable(name string, rows, panels int, emit func(name string, rows, panels int)) {
	fmt.Fprintf(&f.tail, "var %s = IntegerTileSet{Rows: %d, Panels: %d, By: [][]func(*IntegerTile){\n", name, rows, panels)
	for r := 1; r <= rows; r++ {
		fmt.Fprintf(&f.tail, "%d: {", r)
		for p := 1; p <= panels; p++ {
			function := fmt.Sprintf("i%s%dx%d", name[1:], r, p)
			emit(function, r, p)
			fmt.Fprintf(&f.tail, "%d: %s,", p, function)
		}
		fmt.Fprintf(&f.tail, "},\n")
	}
	fmt.Fprintf(&f.tail, "}}\n\n")
}

func integerArgument(field string) string {
	return fmt.Sprintf("%d(AX)", structureNamed("IntegerTile").offset(field))
}

// integerBases hold the addresses of rows 0, 3, 6 and 9 of A.
var integerBases = []string{"SI", "R9", "R10", "R11"}

// integerHead begins a tile. AX is its argument, R14 where A's rows begin, R13 where C's do, R12
// the scales of rows, DI how many tiles are left.
func (f *file) integerHead(name string, rows int) {
	f.declare(name, "", sign("t *IntegerTile", ""))
	f.i("MOVQ t+0(FP), AX")
	for _, a := range [][2]string{{"A", "R14"}, {"Lda", "R8"}, {"C", "R13"}, {"Rows", "R12"}, {"Tiles", "DI"}} {
		f.i("MOVQ %s, %s", integerArgument(a[0]), a[1])
	}
	f.p("tile:")
	f.i("MOVQ R14, SI")
	for i := 3; i < rows; i += 3 {
		f.i("LEAQ (%s)(R8*2), %s", integerBases[i/3-1], integerBases[i/3])
		f.i("ADDQ R8, %s", integerBases[i/3])
	}
	f.i("MOVQ %s, DX", integerArgument("B"))
	f.i("MOVQ %s, CX", integerArgument("Groups"))
}

// rowAt is where a row's next group lies.
func rowAt(i int) string {
	return "(" + integerBases[i/3] + ")" + []string{"", "(R8*1)", "(R8*2)"}[i%3]
}

// integerNext ends the loop over groups.
func (f *file) integerNext(rows int) {
	for i := 0; i < rows; i += 3 {
		f.i("ADDQ $4, %s", integerBases[i/3])
	}
	f.i("ADDQ $64, DX")
	f.i("DECQ CX")
	f.i("JNZ loop")
}

// integerOut writes sum·(row's scale·column's) + bias, in three roundings, and goes on to the
// rows below.
func (f *file) integerOut(rows, vectors, bytes int, reg string, scratch []int) {
	f.i("MOVQ %s, SI", integerArgument("Scale"))
	f.i("MOVQ %s, DX", integerArgument("Bias"))
	f.i("MOVQ %s, BX", integerArgument("Ldc"))
	for r := range rows {
		row := fmt.Sprintf("%s%d", reg, scratch[r%2])
		f.i("VBROADCASTSS %d(R12), %s", 4*r, row)
		for v := range vectors {
			x, scale := fmt.Sprintf("%s%d", reg, r*vectors+v), fmt.Sprintf("%s%d", reg, scratch[2+v%2])
			f.i("VMULPS %d(SI), %s, %s", v*bytes, row, scale)
			f.i("VCVTDQ2PS %s, %s", x, x)
			f.i("VMULPS %s, %s, %s", scale, x, x)
			f.i("VADDPS %d(DX), %s, %s", v*bytes, x, x)
			f.i("VMOVUPS %s, %d(R13)", x, v*bytes)
		}
		f.i("ADDQ BX, R13")
	}
	f.i("ADDQ $%d, R12", 4*rows)
	for range rows / 4 {
		f.i("LEAQ (R14)(R8*4), R14")
	}
	for range rows % 4 {
		f.i("ADDQ R8, R14")
	}
	f.i("DECQ DI")
	f.i("JNZ tile")
	f.ret()
}

// integerTile multiplies pairs of bytes into int16, of which two of 255·63 do not
// saturate, and adds pairs of those into int32.
func (f *file) integerTile(name string, rows, _ int) {
	f.integerHead(name, rows)
	f.i("MOVQ %s, R15", integerArgument("Shift"))
	for i := range 2 {
		f.i("VPXOR Y%d, Y%d, Y%d", i, i, i)
		f.i("VPSUBD %d(R15), Y%d, Y%d", 32*i, i, i)
	}
	for i := 2; i < 2*rows; i++ {
		f.i("VMOVDQA Y%d, Y%d", i%2, i)
	}
	f.i("MOVQ CX, R15")
	f.i("SHLQ $6, R15") // to the next panel
	f.i("VPCMPEQW Y12, Y12, Y12")
	f.i("VPSRLW $15, Y12, Y12") // ones
	f.i("PCALIGN $32")
	f.p("loop:")
	f.i("VMOVDQU (DX), Y13")
	f.i("VMOVDQU 32(DX), Y14")
	f.i("PREFETCHT1 (DX)(R15*1)")
	for i := range rows {
		f.i("VPBROADCASTD %s, Y15", rowAt(i))
		f.i("VPMADDUBSW Y13, Y15, Y11")
		f.i("VPMADDUBSW Y14, Y15, Y15")
		f.i("VPMADDWD Y12, Y11, Y11")
		f.i("VPMADDWD Y12, Y15, Y15")
		f.i("VPADDD Y11, Y%d, Y%d", 2*i, 2*i)
		f.i("VPADDD Y15, Y%d, Y%d", 2*i+1, 2*i+1)
	}
	f.integerNext(rows)
	f.integerOut(rows, 2, 32, "Y", []int{12, 13, 14, 15})
}

// integerTileVNNI has its sums in Z0 to Z23.
func (f *file) integerTileVNNI(name string, rows, panels int) {
	f.integerHead(name, rows)
	f.i("MOVQ %s, R15", integerArgument("Shift"))
	for p := range panels {
		f.i("VPXORD Z%d, Z%d, Z%d", p, p, p)
		f.i("VPSUBD %d(R15), Z%d, Z%d", 64*p, p, p)
	}
	for i := panels; i < rows*panels; i++ {
		f.i("VMOVDQA64 Z%d, Z%d", i%panels, i)
	}
	if panels == 2 {
		f.i("MOVQ CX, R15")
		f.i("SHLQ $6, R15") // to the second panel
		f.i("LEAQ (R15)(R15*2), BX")
	}
	f.i("PCALIGN $32")
	f.p("loop:")
	f.i("VMOVDQU32 (DX), Z24")
	if panels == 2 {
		f.i("VMOVDQU32 (DX)(R15*1), Z25")
		f.i("PREFETCHT1 (DX)(R15*2)") // of the strip to the right
		f.i("PREFETCHT1 (DX)(BX*1)")
	}
	for i := range rows {
		f.i("VPBROADCASTD %s, Z%d", rowAt(i), 26+i%6)
		for p := range panels {
			f.i("VPDPBUSD Z%d, Z%d, Z%d", 24+p, 26+i%6, i*panels+p)
		}
	}
	f.integerNext(rows)
	f.integerOut(rows, panels, 64, "Z", []int{24, 25, 26, 27})
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
