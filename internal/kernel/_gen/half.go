package main

// halfFile has the widening of numbers of 16 bits.
func halfFile(arch string) file {
	f := file{name: "half", arch: arch}
	for _, x := range []struct {
		name, doc string
		amd64     []string // from (SI)(AX*2) to Y0
		arm64     uint32   // four from V0 to V0
	}{
		{"WidenFloat16", "float16", []string{"VCVTPH2PS (SI)(AX*2), Y0"}, 0x0e217800},                         // FCVTL
		{"WidenBFloat16", "bfloat16", []string{"VPMOVZXWD (SI)(AX*2), Y0", "VPSLLD $16, Y0, Y0"}, 0x2e613800}, // SHLL by 16
	} {
		s := sign("dst *float32, src *uint16, n int", "")
		f.declare(x.name, "dst = src, numbers of "+x.doc+", of n numbers, n a multiple of 8 and not 0", s)
		v := vec{file: &f, signature: s, neon: arch == "arm64"}
		v.arg("dst", "DI")
		v.arg("src", "SI")
		v.arg("n", "CX")
		if arch == "arm64" {
			f.p("loop:")
			f.i("FMOVD.P 8(R4), F0")
			f.i("WORD $%#x", x.arm64)
			f.i("FMOVQ.P F0, 16(R3)")
			f.i("SUBS $4, R1, R1")
			f.i("BNE loop")
			f.i("RET")
			f.p("")
			continue
		}
		f.i("XORQ AX, AX")
		f.p("loop:")
		for _, line := range x.amd64 {
			f.i("%s", line)
		}
		f.i("VMOVUPS Y0, (DI)(AX*4)")
		f.i("ADDQ $8, AX")
		f.i("CMPQ AX, CX")
		f.i("JLT loop")
		f.ret()
	}
	if arch == "amd64" {
		s := sign("leaf uint32", "ecx uint32")
		f.declare("CPUID", "what CPUID says in ECX, subleaf 0", s)
		f.i("MOVL %s, AX", s.ref("leaf"))
		f.i("XORL CX, CX")
		f.i("CPUID")
		f.i("MOVL CX, %s", s.ref("ecx"))
		f.i("RET")
		f.p("")
	}
	return f
}
