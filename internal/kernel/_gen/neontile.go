package main

import "fmt"

// neonFile has the tiles for arm64, of the same order of sums as the others.
func neonFile() file {
	f := file{name: "neon", arch: "arm64"}
	fmt.Fprintf(&f.tail, "// tilesNEON holds the tiles by their rows and vectors of columns.\n")
	fmt.Fprintf(&f.tail, "var tilesNEON = [][]func(*tileArgs){\n")
	for rows := 1; rows <= 8; rows++ {
		fmt.Fprintf(&f.tail, "%d: {", rows)
		for vec := 1; vec <= 3; vec++ {
			t := neonTile{&f, rows, vec}
			t.emit()
			fmt.Fprintf(&f.tail, "%d: %s,", vec, t.name())
		}
		fmt.Fprintf(&f.tail, "},\n")
	}
	fmt.Fprintf(&f.tail, "}\n\n")
	fmt.Fprintf(&f.stubs, "var tilesNEON [][]func(*tileArgs)\n")
	return f
}

// neonTile computes rows × 4·vec elements of C. Sums are in V0…V23, a row of
// B in V24…V26. R4…R11 walk along the rows of A.
type neonTile struct {
	*file
	rows, vec int
}

func (t *neonTile) name() string { return fmt.Sprintf("tileN%dx%d", t.rows, 4*t.vec) }

func (t *neonTile) emit() {
	t.declare(t.name(), "(t *tileArgs)", 8)
	t.i("MOVD t+0(FP), R0")
	for _, a := range []struct {
		at  int
		reg string
	}{{argA, "R20"}, {argRow, "R13"}, {argCol, "R12"}, {argPanel, "R21"}, {argC, "R3"}, {argLdc, "R14"}, {argAdd, "R15"}, {argLdAdd, "R16"}, {argPanels, "R17"}, {argTail, "R19"}} {
		t.i("MOVD %d(R0), %s", a.at, a.reg)
	}
	t.i("ADD $%d, R0, R23", argAlpha)
	t.p("panel:")
	t.i("MOVD %d(R0), R1", argK)
	t.i("MOVD %d(R0), R2", argB)
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
