package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
)

// vec writes one function for one kind of vectors, with the mnemonics and integer
// registers of amd64. All kinds do the same operations in the same order, so
// their results are the same bits.
type vec struct {
	*file
	signature
	z      bool // AVX-512
	neon   bool // and here neon.go translates; else AVX2
	masked bool // in a tail
	table  bool // NEON, and constants are read
}

// vec begins a function of AVX2, or of NEON.
func (f *file) vec(name, doc string, s signature) *vec {
	f.declare(name, doc, s)
	return &vec{file: f, signature: s, neon: f.arch == "arm64"}
}

// vector writes a function for AVX2 or NEON. AVX-512 uses AVX2's too: where
// memory is the limit, wider vectors gain nothing.
func (f *file) vector(name, doc string, s signature, body func(v *vec)) {
	v := f.vec(name, doc, s)
	head := f.code
	f.code = bytes.Buffer{}
	body(v)
	v.ret()
	code := f.code
	f.code = head
	if v.table {
		v.i("MOVD $consts<>(SB), %s", neonConsts)
	}
	f.code.Write(code.Bytes())
}

// wide is vector, and on amd64 writes the function for AVX-512 beside it.
func (f *file) wide(name, doc string, s signature, body func(v *vec)) {
	f.vector(name, doc, s, body)
	if f.arch == "amd64" {
		f.only512(name, doc, s, body)
	}
}

// only512 writes a function for AVX-512 alone.
func (f *file) only512(name, doc string, s signature, body func(v *vec)) {
	f.declare(name+"AVX512", doc, s)
	v := &vec{file: f, signature: s, z: true}
	body(v)
	v.ret()
}

func (v *vec) lanes() int {
	switch {
	case v.z:
		return 16
	case v.neon:
		return 4
	default:
		return 8
	}
}

// r is the name of a register. Register 15 of AVX2 and NEON is the mask of a tail.
func (v *vec) r(i int) string {
	switch {
	case v.z:
		return fmt.Sprintf("Z%d", i)
	case v.neon:
		return fmt.Sprintf("V%d", i)
	default:
		return fmt.Sprintf("Y%d", i)
	}
}

// regs are registers from, from+1, ….
func (v *vec) regs(from, n int) (names []string) {
	for i := range n {
		names = append(names, v.r(from+i))
	}
	return names
}

// arg loads an argument that is an address, a length or another int.
func (v *vec) arg(name, reg string) {
	if v.neon {
		v.i("MOVD %s, %s", v.ref(name), armReg(reg))
		return
	}
	v.i("MOVQ %s, %s", v.ref(name), reg)
}

// scalar spreads a float32 argument over a register.
func (v *vec) scalar(name, reg string) {
	if v.neon {
		v.i("FMOVS %s, F%s", v.ref(name), reg[1:])
		v.i("VDUP %s.S[0], %s.S4", reg, reg)
		return
	}
	v.i("VBROADCASTSS %s, %s", v.ref(name), reg)
}

// k is a constant as an operand: the first of an instruction.
func (v *vec) k(x float64) string { return v.bits(math.Float32bits(float32(x))) }

func (v *vec) bits(b uint32) string {
	at, ok := v.consts[b]
	if !ok {
		if v.consts == nil {
			v.consts = map[uint32]int{}
		}
		at = 32 * len(v.consts)
		v.consts[b] = at
		for i := 0; i < 32; i += 8 {
			fmt.Fprintf(&v.data, "DATA consts<>+%d(SB)/8, $%#08x%08x\n", at+i, b, b)
		}
	}
	return fmt.Sprintf("consts<>+%d(SB)", at)
}

// op writes an instruction whose last operand is its result.
func (v *vec) op(name string, operands ...string) {
	if v.neon {
		v.neonOp(name, operands)
		return
	}
	if v.z && strings.HasSuffix(operands[0], "(SB)") {
		name += ".BCST"
	}
	v.i("%s %s", name, strings.Join(operands, ", "))
}

// set spreads a constant over a register.
func (v *vec) set(k, reg string) {
	if v.neon {
		v.neonConst(k, reg)
		return
	}
	v.i("VBROADCASTSS %s, %s", k, reg)
}

// spread fills a register with the float that a pointer points to.
func (v *vec) spread(pointer, reg string) {
	if v.neon {
		v.i("VLD1R (%s), [%s.S4]", armReg(pointer), reg)
		return
	}
	v.i("VBROADCASTSS (%s), %s", pointer, reg)
}

// int does integer arithmetic: MOV, ADD, SUB or SHL.
func (v *vec) int(op, x, reg string) {
	if v.neon {
		v.neonInt(op, x, reg)
		return
	}
	v.i("%sQ %s, %s", op, x, reg)
}

// branch jumps by the result of the last int.
func (v *vec) branch(op, label string) {
	if v.neon {
		v.i("%s %s", map[string]string{"JNZ": "BNE", "JLT": "BLT", "JGE": "BGE", "JZ": "BEQ"}[op], label)
		return
	}
	v.i("%s %s", op, label)
}

func (v *vec) ret() {
	if v.neon {
		v.i("RET")
		v.p("")
		return
	}
	v.file.ret()
}

func (v *vec) zero(reg string) {
	switch {
	case v.z:
		v.i("VPXORD %s, %s, %s", reg, reg, reg)
	case v.neon:
		v.i("VEOR %s.B16, %s.B16, %s.B16", reg, reg, reg)
	default:
		v.i("VXORPS %s, %s, %s", reg, reg, reg)
	}
}

// abs clears the sign of x.
func (v *vec) abs(x, to string) { v.op("VANDPS", v.bits(0x7fffffff), x, to) }

// each runs body over n elements, n in CX, in blocks of the given length; AX is
// the offset of the block in bytes. body does the k-th vector of the block and
// is written twice: for whole blocks, and for a tail, whose lanes beyond n are
// masked.
func (v *vec) each(block int, body func(k int)) {
	vectors := block / v.lanes()
	v.int("MOV", "$0", "AX")
	v.int("SUB", fmt.Sprintf("$%d", block), "CX")
	v.branch("JLT", "tail")
	if !v.neon {
		v.i("PCALIGN $32")
	}
	v.p("loop:")
	for k := range vectors {
		body(k)
	}
	v.int("ADD", fmt.Sprintf("$%d", 4*block), "AX")
	v.int("SUB", fmt.Sprintf("$%d", block), "CX")
	v.branch("JGE", "loop")
	v.p("tail:")
	v.int("ADD", fmt.Sprintf("$%d", block), "CX")
	v.branch("JZ", "done")
	v.maskTail(vectors)
	v.masked = true
	for k := range vectors {
		switch {
		case v.neon:
			v.i("FMOVQ %d(%s), F15", 16*k, neonMask)
		case !v.z:
			v.i("VMOVUPS %d(R14), Y15", 32*k)
		}
		body(k)
	}
	v.masked = false
	v.p("done:")
}

// maskTail prepares the masks of a block of which CX elements are left.
func (v *vec) maskTail(vectors int) {
	switch {
	case v.z:
		v.i("MOVQ $1, R14")
		v.i("SHLQ CX, R14")
		v.i("DECQ R14")
		for k := range vectors {
			v.i("KMOVW R14, K%d", k+1)
			v.i("SHRQ $16, R14")
		}
	case v.neon:
		v.i("MOVD $vecMask<>+%d(SB), %s", 4*maskLanes, neonMask)
		v.i("SUB %s<<2, %s, %s", armReg("CX"), neonMask, neonMask)
	default:
		v.i("LEAQ vecMask<>+%d(SB), R14", 4*maskLanes)
		v.i("NEGQ CX")
		v.i("LEAQ (R14)(CX*4), R14")
	}
}

// maskLanes is the longest block.
const maskLanes = 32

func (v *vec) address(base string, k int) string {
	return fmt.Sprintf("%d(%s)(AX*1)", k*4*v.lanes(), base)
}

// load reads the k-th vector of the block; masked lanes are 0.
func (v *vec) load(base string, k int, reg string) {
	switch at := v.address(base, k); {
	case v.neon:
		v.neonMove("VLD1", base, k, reg)
	case v.masked && v.z:
		v.i("VMOVUPS.Z %s, K%d, %s", at, k+1, reg)
	case v.masked:
		v.i("VMASKMOVPS %s, Y15, %s", at, reg)
	default:
		v.i("VMOVUPS %s, %s", at, reg)
	}
}

func (v *vec) store(reg, base string, k int) {
	switch at := v.address(base, k); {
	case v.neon:
		v.neonMove("VST1", base, k, reg)
	case v.masked && v.z:
		v.i("VMOVUPS %s, K%d, %s", reg, k+1, at)
	case v.masked:
		v.i("VMASKMOVPS %s, Y15, %s", reg, at)
	default:
		v.i("VMOVUPS %s, %s", reg, at)
	}
}

// only zeroes the masked lanes.
func (v *vec) only(reg string, k int) {
	switch {
	case v.masked && v.z:
		v.i("VMOVAPS.Z %s, K%d, %s", reg, k+1, reg)
	case v.masked:
		v.op("VANDPS", v.r(15), reg, reg)
	}
}

// blend gives neg where sign is negative, else pos. neg may be a constant.
func (v *vec) blend(sign, pos, neg, to string) {
	switch {
	case v.neon:
		v.neonBlend(sign, pos, neg, to)
		return
	case !v.z:
		v.i("VBLENDVPS %s, %s, %s, %s", sign, neg, pos, to)
		return
	}
	v.i("VPMOVD2M %s, K7", sign)
	if pos != to {
		v.i("VMOVAPS %s, %s", pos, to)
	}
	if strings.HasSuffix(neg, "(SB)") {
		v.i("VBROADCASTSS %s, K7, %s", neg, to)
	} else {
		v.i("VMOVAPS %s, K7, %s", neg, to)
	}
}

// fold joins the lanes of the accumulators and stores the result.
func (v *vec) fold(op string, acc []string, to string) {
	if v.neon {
		v.halve(op, acc)
		v.neonFold(op, acc[0], to)
		return
	}
	v.join(op, acc)
	v.i("VMOVSS X%s, %s", acc[0][1:], v.ref(to))
}

// halve joins accumulators by op until the first is left.
func (v *vec) halve(op string, acc []string) {
	for half := len(acc) / 2; half > 0; half /= 2 {
		for i := range half {
			v.op(op, acc[half+i], acc[i], acc[i])
		}
	}
}

// join is halve, and goes on with the lanes until one value is left in lane 0.
func (v *vec) join(op string, acc []string) {
	v.halve(op, acc)
	x := func(r string) string { return "X" + r[1:] }
	y := func(r string) string { return "Y" + r[1:] }
	a, t := acc[0], v.r(14)
	if v.z {
		v.i("VEXTRACTF64X4 $1, %s, %s", a, y(t))
		v.i("%s %s, %s, %s", op, y(t), y(a), y(a))
	}
	v.i("VEXTRACTF128 $1, %s, %s", y(a), x(t))
	v.i("%s %s, %s, %s", op, x(t), x(a), x(a))
	v.i("VMOVHLPS %s, %s, %s", x(a), x(a), x(t))
	v.i("%s %s, %s, %s", op, x(t), x(a), x(a))
	v.i("VMOVSHDUP %s, %s", x(a), x(t))
	v.i("%s %s, %s, %s", strings.Replace(op, "PS", "SS", 1), x(t), x(a), x(a))
}
