package main

import "fmt"

// integerFileNEON has the products of integers of processors that multiply signed bytes
// four at a time (SDOT).
func integerFileNEON() file {
	f := file{name: "integer", arch: "arm64"}
	for rows := 1; rows <= 4; rows++ {
		f.integerTileNEON(rows)
	}
	return f
}

// integerTileNEON takes 128 off each of a's bytes, which makes them signed, and adds 128
// times the sums of b again, from V16…V19. Sums are in V0…V15, of each row four vectors.
func (f *file) integerTileNEON(rows int) {
	const sdot, bytes128 = 0x4e809400, 31
	name := fmt.Sprintf("IntegerTile%d", rows)
	doc := fmt.Sprintf("acc, %d rows of 16 int32, = Σ a·b over groups of four, of rows of a, lda bytes apart, and of a panel of b; groups is at least one", rows)
	f.declare(name, doc, sign("acc *int32, a *uint8, b *int8, lda, groups int", ""))
	f.i("MOVD acc+0(FP), R0")
	f.i("MOVD a+8(FP), R4")
	f.i("MOVD b+16(FP), R1")
	f.i("MOVD lda+24(FP), R2")
	f.i("MOVD groups+32(FP), R3")
	for r := 1; r < rows; r++ {
		f.i("ADD R2, R%d, R%d", 3+r, 4+r)
	}
	f.i("VMOVI $128, V%d.B16", bytes128)
	for i := range 4 * rows {
		f.i("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	for i := 16; i < 20; i++ {
		f.i("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	f.p("loop:")
	f.i("VLD1.P 64(R1), [V20.B16, V21.B16, V22.B16, V23.B16]")
	for v := range 4 { // −128 times b
		f.i("WORD $%#x", sdot|uint32(bytes128)<<16|uint32(20+v)<<5|uint32(16+v))
	}
	for r := range rows {
		f.i("VLD1R.P 4(R%d), [V%d.S4]", 4+r, 24+r)
		f.i("VEOR V%d.B16, V%d.B16, V%d.B16", bytes128, 24+r, 24+r)
		for v := range 4 {
			f.i("WORD $%#x", sdot|uint32(24+r)<<16|uint32(20+v)<<5|uint32(4*r+v))
		}
	}
	f.i("SUBS $1, R3, R3")
	f.i("BNE loop")
	for i := range 4 * rows {
		f.i("VSUB V%d.S4, V%d.S4, V%d.S4", 16+i%4, i, i)
	}
	for r := range rows {
		f.i("VST1.P [V%d.S4, V%d.S4, V%d.S4, V%d.S4], 64(R0)", 4*r, 4*r+1, 4*r+2, 4*r+3)
	}
	f.i("RET")
	f.p("")
}
