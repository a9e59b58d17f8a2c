package main

import "fmt"

// argument is a field of Tile, whose address is in a register.
func argument(field, reg string) string {
	return fmt.Sprintf("%d(%s)", structureNamed("Tile").offset(field), reg)
}

// family is the tiles of one instruction set.
type family struct {
	suffix    string // of its names
	reg       string // X, Y or Z
	regs      int    // of them
	lanes     int
	rows, vec int // of the largest tile
}

var families = []family{
	{"", "Y", 16, 8, 6, 2},
	{"AVX512", "Z", 32, 16, 8, 3},
}

// table writes the Go table of the family's tiles. emit writes one of them.
func (fam family) table(f *file, emit func(rows, vec int)) {
	fmt.Fprintf(&f.tail, "var Tiles%s = TileSet{Rows: %d, Cols: %d, Lanes: %d, By: [][]func(*Tile){\n", fam.suffix, fam.rows, fam.vec*fam.lanes, fam.lanes)
	for rows := 1; rows <= fam.rows; rows++ {
		fmt.Fprintf(&f.tail, "%d: {", rows)
		for vec := 1; vec <= fam.vec; vec++ {
			emit(rows, vec)
			fmt.Fprintf(&f.tail, "%d: %s,", vec, fam.function(rows, vec))
		}
		fmt.Fprintf(&f.tail, "},\n")
	}
	fmt.Fprintf(&f.tail, "}}\n\n")
}

func (fam family) function(rows, vec int) string {
	return fmt.Sprintf("tile%dx%d%s", rows, vec*fam.lanes, fam.suffix)
}

func tileFile() file {
	f := file{name: "tile", arch: "amd64"}
	for _, fam := range families {
		fam.table(&f, func(rows, vec int) {
			t := tile{family: fam, file: &f, rows: rows, vec: vec}
			t.emit()
		})
	}
	f.masks("tileMask", 8)
	return f
}

// tile is the function that computes rows × vec·lanes elements of C, and the
// panels of rows below them.
type tile struct {
	family
	*file
	rows, vec int
	turn      int // of the broadcast registers
}

func (t *tile) r(i int) string        { return fmt.Sprintf("%s%d", t.reg, i) }
func (t *tile) acc(row, v int) string { return t.r(row*t.vec + v) }
func (t *tile) b(v int) string        { return t.r(t.rows*t.vec + v) }
func (t *tile) bytes() int            { return t.lanes * 4 }

// spare is a register beside the accumulators and B's vectors.
func (t *tile) spare() string {
	first := t.rows*t.vec + t.vec
	t.turn++
	return t.r(first + t.turn%(min(t.regs, first+8)-first))
}

// bases hold the addresses of rows 0, 3 and 6 of an A in place.
var bases = []string{"SI", "R8", "R9"}

func (t *tile) emit() {
	f := t.file
	f.declare(t.function(t.rows, t.vec), "", sign("t *Tile", ""))
	f.i("MOVQ t+0(FP), AX")
	f.i("MOVQ %s, DX", argument("C", "AX"))
	f.i("MOVQ %s, R12", argument("Add", "AX"))
	f.i("MOVQ %s, R13", argument("Panels", "AX"))
	f.i("MOVQ %s, R14", argument("A", "AX"))
	f.i("MOVQ %s, R10", argument("Row", "AX"))
	f.i("MOVQ %s, R11", argument("Col", "AX"))
	if t.reg == "Z" {
		f.i("MOVQ %s, CX", argument("Tail", "AX"))
		f.i("MOVL $1, R8")
		f.i("SHLL CX, R8")
		f.i("DECL R8")
		f.i("KMOVW R8, K1")
	}
	f.p("panel:")
	f.i("MOVQ %s, DI", argument("B", "AX"))
	f.i("MOVQ %s, BX", argument("Ldc", "AX"))
	t.prefetchC()
	for row := range t.rows {
		for v := range t.vec {
			x := t.acc(row, v)
			if t.reg == "Z" {
				f.i("VPXORD %s, %s, %s", x, x, x)
			} else {
				f.i("VXORPS %s, %s, %s", x, x, x)
			}
		}
	}
	t.loop()
	t.store()
	f.ret()
}

// prefetchC asks for the tile of C while the sums run.
func (t *tile) prefetchC() {
	if t.rows < 4 {
		return
	}
	t.i("MOVQ DX, R8")
	for row := range t.rows {
		for at := 0; at < t.vec*t.bytes(); at += 64 {
			t.i("PREFETCHT0 %d(R8)", at)
		}
		if row < t.rows-1 {
			t.i("ADDQ BX, R8")
		}
	}
}

// loop adds up the products of every k, two at a time. Tiles that are high ask for the next
// panel of A meanwhile: into the second-level cache, as rows a multiple of 4 KiB apart would push
// each other, and B, out of the first.
func (t *tile) loop() {
	t.i("MOVQ R14, SI")
	for row := 3; row < t.rows; row += 3 {
		t.i("LEAQ (%s)(R10*2), %s", bases[row/3-1], bases[row/3])
		t.i("ADDQ R10, %s", bases[row/3])
	}
	t.i("MOVQ %s, CX", argument("K", "AX"))
	if t.rows >= 4 {
		t.i("MOVQ R14, BX")
		t.i("ADDQ %s, BX", argument("Ahead", "AX"))
	}
	t.i("SUBQ $2, CX")
	t.i("JLT last")
	t.i("PCALIGN $32")
	t.p("loop:")
	t.step(0)
	t.step(1)
	t.i("ADDQ $%d, DI", 2*t.vec*t.bytes())
	if t.rows >= 4 {
		t.i("PREFETCHT1 (BX)")
		t.i("ADDQ %s, BX", argument("Line", "AX"))
		t.i("TESTQ $14, CX")
		t.i("JNZ same")
		t.i("ADDQ %s, BX", argument("Turn", "AX"))
		t.p("same:")
	}
	t.i("SUBQ $2, CX")
	t.i("JGE loop")
	t.p("last:")
	t.i("ADDQ $2, CX")
	t.i("JZ store")
	t.step(0)
}

// step adds one k: B's row u from DI on, A's column at SI.
func (t *tile) step(u int) {
	for v := range t.vec {
		t.i("VMOVUPS %d(DI), %s", (u*t.vec+v)*t.bytes(), t.b(v))
	}
	for row := range t.rows {
		x, at := t.spare(), "("+bases[row/3]+")"
		if row%3 > 0 {
			at += fmt.Sprintf("(R10*%d)", row%3)
		}
		t.i("VBROADCASTSS %s, %s", at, x)
		for v := range t.vec {
			t.i("VFMADD231PS %s, %s, %s", t.b(v), x, t.acc(row, v))
		}
	}
	for row := 0; row < t.rows; row += 3 {
		t.i("ADDQ R11, %s", bases[row/3])
	}
}

// store writes alpha·sum, or alpha·sum + add in one rounding, to C, and goes on
// to the next panel of rows.
func (t *tile) store() {
	alpha := t.b(0)
	t.p("store:")
	t.i("VBROADCASTSS %s, %s", argument("Alpha", "AX"), alpha)
	t.i("MOVQ %s, BX", argument("Ldc", "AX"))
	t.i("MOVQ %s, R8", argument("LdAdd", "AX"))
	if t.reg == "Z" {
		t.i("TESTQ R12, R12")
		t.i("JNZ added")
		t.rowsOut(alpha, false, t.movZ)
		t.i("JMP next")
		t.p("added:")
		t.rowsOut(alpha, true, t.movZ)
	} else {
		t.i("CMPQ %s, $%d", argument("Tail", "AX"), t.lanes)
		t.i("JNE masked")
		t.i("TESTQ R12, R12")
		t.i("JNZ added")
		t.rowsOut(alpha, false, t.movY)
		t.i("JMP next")
		t.p("added:")
		t.rowsOut(alpha, true, t.movY)
		t.i("JMP next")
		t.p("masked:")
		t.i("MOVQ %s, CX", argument("Tail", "AX"))
		t.i("NEGQ CX")
		t.i("LEAQ tileMask<>+32(SB), DI")
		t.i("VMOVUPS (DI)(CX*4), %s", t.mask())
		t.i("TESTQ R12, R12")
		t.i("JNZ maskedAdded")
		t.rowsOut(alpha, false, t.movMasked)
		t.i("JMP next")
		t.p("maskedAdded:")
		t.rowsOut(alpha, true, t.movMasked)
	}
	t.p("next:")
	if t.rows >= 4 {
		t.i("MOVQ %s, BX", argument("Step", "AX"))
		t.i("ADDQ BX, %s", argument("Ahead", "AX"))
	}
	t.i("ADDQ %s, R14", argument("Panel", "AX"))
	t.i("DECQ R13")
	t.i("JNZ panel")
}

// mask is the register of the store's mask: no sum is in it.
func (t *tile) mask() string { return t.r(t.regs - 1) }

func (t *tile) rowsOut(alpha string, add bool, mov func(v int, load bool, at, x string)) {
	x := t.r(t.regs - 2)
	for row := range t.rows {
		for v := range t.vec {
			acc, at := t.acc(row, v), fmt.Sprintf("%d", v*t.bytes())
			if add {
				mov(v, true, at+"(R12)", x)
				t.i("VFMADD213PS %s, %s, %s", x, alpha, acc)
			} else {
				t.i("VMULPS %s, %s, %s", alpha, acc, acc)
			}
			mov(v, false, at+"(DX)", acc)
		}
		t.i("ADDQ BX, DX")
		if add {
			t.i("ADDQ R8, R12")
		}
	}
}

func (t *tile) movZ(v int, load bool, at, x string) {
	switch last := v == t.vec-1; {
	case load && last:
		t.i("VMOVUPS.Z %s, K1, %s", at, x)
	case load:
		t.i("VMOVUPS %s, %s", at, x)
	case last:
		t.i("VMOVUPS %s, K1, %s", x, at)
	default:
		t.i("VMOVUPS %s, %s", x, at)
	}
}

func (t *tile) movY(v int, load bool, at, x string) {
	if load {
		t.i("VMOVUPS %s, %s", at, x)
	} else {
		t.i("VMOVUPS %s, %s", x, at)
	}
}

func (t *tile) movMasked(v int, load bool, at, x string) {
	switch {
	case v < t.vec-1:
		t.movY(v, load, at, x)
	case load:
		t.i("VMASKMOVPS %s, %s, %s", at, t.mask(), x)
	default:
		t.i("VMASKMOVPS %s, %s, %s", x, t.mask(), at)
	}
}
