package main

import (
	"strconv"
	"strings"
)

// This file translates what vec writes to NEON. The assembler knows few of the
// vector instructions, so most are numbers.

// Registers that amd64's names do not map to. V30 and V31 are also taken.
const (
	neonConsts = "R26"
	neonMask   = "R20"
	neonAt     = "R24"
	neonLeft   = "R25"
)

func armReg(name string) string {
	if r, ok := map[string]string{"AX": "R0", "CX": "R1", "BX": "R2", "DI": "R3", "SI": "R4", "DX": "R5"}[name]; ok {
		return r
	}
	return name
}

func (v *vec) neonInt(op, x, reg string) {
	x, reg = armReg(x), armReg(reg)
	switch op {
	case "MOV":
		v.i("MOVD %s, %s", x, reg)
	case "ADD", "SUB":
		v.i("%sS %s, %s, %s", op, x, reg, reg)
	case "SHL":
		v.i("LSL %s, %s, %s", x, reg, reg)
	}
}

// neonConst loads a constant of the table.
func (v *vec) neonConst(k, reg string) {
	v.table = true
	at := strings.TrimSuffix(strings.TrimPrefix(k, "consts<>+"), "(SB)")
	v.i("FMOVQ %s(%s), F%s", at, neonConsts, reg[1:])
}

// Instructions of three registers, on four floats or four words: the result
// in bits 0…4, the first operand from bit 5, the second from bit 16.
var neonWords = map[string]uint32{
	"VADDPS": 0x4e20d400, "VSUBPS": 0x4ea0d400, "VMULPS": 0x6e20dc00, "VDIVPS": 0x6e20fc00,
	"VMAXPS": 0x4e20f400, "VMINPS": 0x4ea0f400, "VANDPS": 0x4e201c00,
	"VPADDD": 0x4ea08400, "VPSUBD": 0x6ea08400,
}

const (
	neonFMLA = 0x4e20cc00 // d += n·m
	neonFMLS = 0x4ea0cc00 // d -= n·m
	neonMOV  = 0x4ea01c00 // n and m alike
	neonFNEG = 0x6ea0f800
	neonSQRT = 0x6ea1f800
	neonSHL  = 0x4f205400 // by bits 16…20
	neonSSHR = 0x4f200400 // by 32 - bits 16…20
	neonBSL  = 0x6e601c00 // d = d & n | ^d & m
)

func (v *vec) word(base uint32, m, n, d int) {
	v.i("WORD $%#x", base|uint32(m)<<16|uint32(n)<<5|uint32(d))
}

func (v *vec) mov(from, to int) {
	if from != to {
		v.word(neonMOV, from, from, to)
	}
}

func (v *vec) neonOp(name string, operands []string) {
	var r []int // the registers; a constant is loaded into V31
	for _, o := range operands {
		n := 31
		if strings.HasSuffix(o, "(SB)") {
			v.neonConst(o, "V31")
		} else if n, _ = strconv.Atoi(o[1:]); o[0] != '$' && o[0] != 'V' {
			panic(o)
		}
		r = append(r, n)
	}
	if base, ok := neonWords[name]; ok {
		v.word(base, r[0], r[1], r[2])
		return
	}
	switch name {
	case "VMOVAPS":
		v.mov(r[0], r[1])
	case "VSQRTPS":
		v.word(neonSQRT, 0, r[0], r[1])
	case "VPSLLD":
		v.word(neonSHL, r[0], r[1], r[2])
	case "VPSRAD":
		v.word(neonSSHR, 32-r[0], r[1], r[2])
	case "VFMADD231PS": // d += a·b
		v.word(neonFMLA, r[0], r[1], r[2])
	case "VFNMADD231PS": // d -= a·b
		v.word(neonFMLS, r[0], r[1], r[2])
	case "VFMADD213PS": // d = b·d + a
		v.mov(r[0], 31)
		v.word(neonFMLA, r[1], r[2], 31)
		v.mov(31, r[2])
	case "VFMSUB213PS": // d = b·d - a
		v.word(neonFNEG, 0, r[0], 31)
		v.word(neonFMLA, r[1], r[2], 31)
		v.mov(31, r[2])
	case "VFMSUB132PS": // d = a·d - b
		v.word(neonFNEG, 0, r[1], 30)
		v.word(neonFMLA, r[0], r[2], 30)
		v.mov(30, r[2])
	default:
		panic(name)
	}
}

func (v *vec) neonBlend(sign, pos, neg, to string) {
	number := func(r string) int { n, _ := strconv.Atoi(r[1:]); return n }
	v.word(neonSSHR, 32-31, number(sign), 30)
	if strings.HasSuffix(neg, "(SB)") {
		v.neonConst(neg, "V31")
		neg = "V31"
	}
	v.word(neonBSL, number(pos), number(neg), 30)
	v.mov(30, number(to))
}

// neonMove loads or stores the k-th vector of a block, in a tail as many
// elements of it as are left.
func (v *vec) neonMove(op, base string, k int, reg string) {
	v.i("ADD %s, %s, %s", armReg("AX"), armReg(base), neonAt)
	whole := func() {
		if op == "VLD1" {
			v.i("FMOVQ %d(%s), F%s", 16*k, neonAt, reg[1:])
		} else {
			v.i("FMOVQ F%s, %d(%s)", reg[1:], 16*k, neonAt)
		}
	}
	if !v.masked {
		whole()
		return
	}
	part, done := v.label(), v.label()
	if op == "VLD1" {
		v.zero(reg)
	}
	v.i("SUBS $%d, %s, %s", 4*k, armReg("CX"), neonLeft)
	v.i("BLE %s", done)
	v.i("CMP $4, %s", neonLeft)
	v.i("BLT %s", part)
	whole()
	v.i("B %s", done)
	v.p("%s:", part)
	v.i("ADD $%d, %s, %s", 16*k, neonAt, neonAt)
	v.lanesOf(op, reg, neonAt, neonLeft, done)
	v.p("%s:", done)
}

// lanesOf moves the first one, two or three lanes of a register, as the number
// left says, and goes on to done. It moves the address.
func (f *file) lanesOf(op, reg, at, left, done string) {
	move := func(lane string) {
		if op == "VLD1" {
			f.i("VLD1 (%s), %s.%s", at, reg, lane)
		} else {
			f.i("VST1 %s.%s, (%s)", reg, lane, at)
		}
	}
	one := f.label()
	f.i("TBZ $1, %s, %s", left, one)
	move("D[0]")
	f.i("TBZ $0, %s, %s", left, done)
	f.i("ADD $8, %s, %s", at, at)
	move("S[2]")
	f.i("B %s", done)
	f.p("%s:", one)
	move("S[0]")
}

// neonFold joins the four lanes of a register and stores the result.
func (v *vec) neonFold(op, acc, to string) {
	for _, bytes := range []int{8, 4} {
		v.i("VEXT $%d, %s.B16, %s.B16, V31.B16", bytes, acc, acc)
		v.op(op, "V31", acc, acc)
	}
	v.i("FMOVS F%s, %s", acc[1:], v.ref(to))
}
