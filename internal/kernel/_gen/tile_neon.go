package main

import "fmt"

// tileFileNEON has the tiles for arm64, of the same order of sums as the others.
func tileFileNEON() file {
	f := file{name: "tile", arch: "arm64"}
	family{reg: "V", regs: 32, lanes: 4, rows: 8, vec: 3}.table(&f, func(rows, vec int) {
		t := neonTile{&f, rows, vec}
		t.emit()
	})
	return f
}

// neonTile computes rows × 4·vec elements of C. Sums are in V0…V23, a row of
// B in V24…V26. R4…R11 walk along the rows of A.
type neonTile struct {
	*file
	rows, vec int
}

func (t *neonTile) emit() {
	t.declare(fmt.Sprintf("tile%dx%d", t.rows, 4*t.vec), "", sign("t *Tile", ""))
	t.i("MOVD t+0(FP), R0")
	for _, a := range []struct{ field, reg string }{
		{"A", "R20"}, {"Row", "R13"}, {"Col", "R12"}, {"Panel", "R21"}, {"C", "R3"}, {"Ldc", "R14"},
		{"Add", "R15"}, {"LdAdd", "R16"}, {"Panels", "R17"}, {"Tail", "R19"},
	} {
		t.i("MOVD %s, %s", argument(a.field, "R0"), a.reg)
	}
	t.i("ADD $%d, R0, R23", structureNamed("Tile").offset("Alpha"))
	t.p("panel:")
	t.i("MOVD %s, R1", argument("K", "R0"))
	t.i("MOVD %s, R2", argument("B", "R0"))
	for row := range t.rows {
		if row == 0 {
			t.i("MOVD R20, R4")
		} else {
			t.i("ADD R13, R%d, R%d", 3+row, 4+row)
		}
	}
	for i := range t.rows * t.vec {
		t.i("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	t.p("loop:")
	t.i("VLD1.P %d(R2), [%s]", 16*t.vec, []string{"V24.S4", "V24.S4, V25.S4", "V24.S4, V25.S4, V26.S4"}[t.vec-1])
	for row := range t.rows {
		x := 27 + row%5
		t.i("VLD1R.P (R%d)(R12), [V%d.S4]", 4+row, x)
		for v := range t.vec {
			t.i("VFMLA V%d.S4, V%d.S4, V%d.S4", 24+v, x, row*t.vec+v)
		}
	}
	t.i("SUBS $1, R1, R1")
	t.i("BNE loop")
	t.i("VLD1R (R23), [V27.S4]")
	t.i("CBZ R15, plain")
	t.store(true)
	t.i("B next")
	t.p("plain:")
	t.store(false)
	t.p("next:")
	t.i("ADD R21, R20, R20")
	t.i("SUBS $1, R17, R17")
	t.i("BNE panel")
	t.i("RET")
	t.p("")
}

// store writes alpha·sum, or alpha·sum + add in one rounding.
func (t *neonTile) store(add bool) {
	for row := range t.rows {
		for v := range t.vec {
			acc, last := row*t.vec+v, v == t.vec-1
			if add {
				if last {
					t.part("VLD1", 28, "R15", v)
				} else {
					t.i("FMOVQ %d(R15), F28", 16*v)
				}
				t.i("VFMLA V%d.S4, V27.S4, V28.S4", acc)
				acc = 28
			} else {
				// FMUL Vd.4S, Vn.4S, V27.4S, which the assembler does not know.
				t.i("WORD $%#x", 0x6e20dc00|27<<16|acc<<5|acc)
			}
			if last {
				t.part("VST1", acc, "R3", v)
			} else {
				t.i("FMOVQ F%d, %d(R3)", acc, 16*v)
			}
		}
		t.i("ADD R14, R3, R3")
		if add {
			t.i("ADD R16, R15, R15")
		}
	}
}

// part moves the columns used of the last vector, as many as R19 says.
func (t *neonTile) part(op string, x int, base string, v int) {
	some, done := t.label(), t.label()
	t.i("ADD $%d, %s, R24", 16*v, base)
	t.i("TBZ $2, R19, %s", some)
	if op == "VLD1" {
		t.i("FMOVQ (R24), F%d", x)
	} else {
		t.i("FMOVQ F%d, (R24)", x)
	}
	t.i("B %s", done)
	t.p("%s:", some)
	t.lanesOf(op, fmt.Sprintf("V%d", x), "R24", "R19", done)
	t.p("%s:", done)
}
