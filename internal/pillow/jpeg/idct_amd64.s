//go:build amd64 && !noasm

#include "textflag.h"

// Weights of pairs of coefficients, for VPMADDWD, which follow from multiplying
// out the factors of the butterfly in idct.go: of the coefficients 2 and 6, of 1
// and 7, of 3 and 5, and of the sums 3+7 and 1+5.
DATA cross26<>+0(SB)/8, $0xd6301151d6301151
DATA cross26<>+8(SB)/8, $0xd6301151d6301151
DATA cross26<>+16(SB)/8, $0xd6301151d6301151
DATA cross26<>+24(SB)/8, $0xd6301151d6301151
GLOBL cross26<>(SB), RODATA|NOPTR, $32
DATA both26<>+0(SB)/8, $0x115129cf115129cf
DATA both26<>+8(SB)/8, $0x115129cf115129cf
DATA both26<>+16(SB)/8, $0x115129cf115129cf
DATA both26<>+24(SB)/8, $0x115129cf115129cf
GLOBL both26<>(SB), RODATA|NOPTR, $32
DATA near17<>+0(SB)/8, $0xecc1e333ecc1e333
DATA near17<>+8(SB)/8, $0xecc1e333ecc1e333
DATA near17<>+16(SB)/8, $0xecc1e333ecc1e333
DATA near17<>+24(SB)/8, $0xecc1e333ecc1e333
GLOBL near17<>(SB), RODATA|NOPTR, $32
DATA far17<>+0(SB)/8, $0xe333133ee333133e
DATA far17<>+8(SB)/8, $0xe333133ee333133e
DATA far17<>+16(SB)/8, $0xe333133ee333133e
DATA far17<>+24(SB)/8, $0xe333133ee333133e
GLOBL far17<>(SB), RODATA|NOPTR, $32
DATA near35<>+0(SB)/8, $0xefb0adfdefb0adfd
DATA near35<>+8(SB)/8, $0xefb0adfdefb0adfd
DATA near35<>+16(SB)/8, $0xefb0adfdefb0adfd
DATA near35<>+24(SB)/8, $0xefb0adfdefb0adfd
GLOBL near35<>(SB), RODATA|NOPTR, $32
DATA far35<>+0(SB)/8, $0xadfd1051adfd1051
DATA far35<>+8(SB)/8, $0xadfd1051adfd1051
DATA far35<>+16(SB)/8, $0xadfd1051adfd1051
DATA far35<>+24(SB)/8, $0xadfd1051adfd1051
GLOBL far35<>(SB), RODATA|NOPTR, $32
DATA sum37<>+0(SB)/8, $0x25a1e6dc25a1e6dc
DATA sum37<>+8(SB)/8, $0x25a1e6dc25a1e6dc
DATA sum37<>+16(SB)/8, $0x25a1e6dc25a1e6dc
DATA sum37<>+24(SB)/8, $0x25a1e6dc25a1e6dc
GLOBL sum37<>(SB), RODATA|NOPTR, $32
DATA sum15<>+0(SB)/8, $0x192525a1192525a1
DATA sum15<>+8(SB)/8, $0x192525a1192525a1
DATA sum15<>+16(SB)/8, $0x192525a1192525a1
DATA sum15<>+24(SB)/8, $0x192525a1192525a1
GLOBL sum15<>(SB), RODATA|NOPTR, $32

// To interleave the two halves of a lane, and to transpose 4×4 bytes.
DATA weave<>+0(SB)/8, $0x0b0a030209080100
DATA weave<>+8(SB)/8, $0x0f0e07060d0c0504
DATA weave<>+16(SB)/8, $0x0b0a030209080100
DATA weave<>+24(SB)/8, $0x0f0e07060d0c0504
GLOBL weave<>(SB), RODATA|NOPTR, $32
DATA turn<>+0(SB)/8, $0x0d0905010c080400
DATA turn<>+8(SB)/8, $0x0f0b07030e0a0602
DATA turn<>+16(SB)/8, $0x0d0905010c080400
DATA turn<>+24(SB)/8, $0x0f0b07030e0a0602
GLOBL turn<>(SB), RODATA|NOPTR, $32

DATA round1<>+0(SB)/8, $0x0000040000000400
DATA round1<>+8(SB)/8, $0x0000040000000400
DATA round1<>+16(SB)/8, $0x0000040000000400
DATA round1<>+24(SB)/8, $0x0000040000000400
GLOBL round1<>(SB), RODATA|NOPTR, $32
DATA round2<>+0(SB)/8, $0x0002000000020000
DATA round2<>+8(SB)/8, $0x0002000000020000
DATA round2<>+16(SB)/8, $0x0002000000020000
DATA round2<>+24(SB)/8, $0x0002000000020000
GLOBL round2<>(SB), RODATA|NOPTR, $32
DATA shift128<>+0(SB)/8, $0x8080808080808080
DATA shift128<>+8(SB)/8, $0x8080808080808080
DATA shift128<>+16(SB)/8, $0x8080808080808080
DATA shift128<>+24(SB)/8, $0x8080808080808080
GLOBL shift128<>(SB), RODATA|NOPTR, $32

// PAIRS interleaves the lanes of r: words of the low with words of the high one.
// Y15 holds weave.
#define PAIRS(r) VPERMQ $0xd8, r, r; VPSHUFB Y15, r, r

// PASS transforms eight columns at once. In: Y0 holds the vectors 0 and 4 of
// the coefficients, Y1 1 and 5, Y2 2 and 6, Y3 3 and 7, each of 8 int16. Out: Y8
// to Y15 hold the vectors 0 to 7 of the result, each of 8 int32.
#define PASS(round, shift) \
	VMOVDQU weave<>(SB), Y15; \
	VPERM2I128 $1, Y0, Y0, Y8; \
	VPADDW Y8, Y0, Y9; \
	VPSUBW Y8, Y0, Y10; \
	VPMOVSXWD X9, Y4; VPSLLD $13, Y4, Y4; VPADDD round<>(SB), Y4, Y4; \
	VPMOVSXWD X10, Y5; VPSLLD $13, Y5, Y5; VPADDD round<>(SB), Y5, Y5; \
	PAIRS(Y2); \
	VPMADDWD cross26<>(SB), Y2, Y6; \
	VPMADDWD both26<>(SB), Y2, Y7; \
	VPADDD Y7, Y4, Y0; \
	VPSUBD Y7, Y4, Y7; \
	VPADDD Y6, Y5, Y4; \
	VPSUBD Y6, Y5, Y6; \
	VPERM2I128 $1, Y1, Y1, Y8; VPADDW Y8, Y1, Y8; \
	VPERM2I128 $1, Y3, Y3, Y9; VPADDW Y9, Y3, Y9; \
	VPERM2I128 $0x30, Y8, Y9, Y8; PAIRS(Y8); \
	VPERM2I128 $0x30, Y3, Y1, Y9; PAIRS(Y9); \
	VPERM2I128 $0x30, Y1, Y3, Y10; PAIRS(Y10); \
	VPMADDWD sum37<>(SB), Y8, Y3; \
	VPMADDWD sum15<>(SB), Y8, Y8; \
	VPMADDWD far17<>(SB), Y9, Y1; VPADDD Y8, Y1, Y1; \
	VPMADDWD near17<>(SB), Y9, Y2; VPADDD Y3, Y2, Y2; \
	VPMADDWD far35<>(SB), Y10, Y5; VPADDD Y3, Y5, Y5; \
	VPMADDWD near35<>(SB), Y10, Y3; VPADDD Y8, Y3, Y3; \
	VPADDD Y1, Y0, Y8; VPSUBD Y1, Y0, Y15; \
	VPADDD Y5, Y4, Y9; VPSUBD Y5, Y4, Y14; \
	VPADDD Y3, Y6, Y10; VPSUBD Y3, Y6, Y13; \
	VPADDD Y2, Y7, Y11; VPSUBD Y2, Y7, Y12; \
	VPSRAD $shift, Y8, Y8; VPSRAD $shift, Y9, Y9; VPSRAD $shift, Y10, Y10; VPSRAD $shift, Y11, Y11; \
	VPSRAD $shift, Y12, Y12; VPSRAD $shift, Y13, Y13; VPSRAD $shift, Y14, Y14; VPSRAD $shift, Y15, Y15

// func inverseDCTAVX2(out *byte, stride int, block *[64]int16)
TEXT ·inverseDCTAVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ block+16(FP), SI
	VMOVDQU (SI), X0
	VMOVDQU 16(SI), X1
	VMOVDQU 32(SI), X2
	VMOVDQU 48(SI), X3
	VINSERTI128 $1, 64(SI), Y0, Y0
	VINSERTI128 $1, 80(SI), Y1, Y1
	VINSERTI128 $1, 96(SI), Y2, Y2
	VINSERTI128 $1, 112(SI), Y3, Y3
	VEXTRACTI128 $1, Y0, X4
	VPOR Y1, Y2, Y5
	VPOR Y3, Y4, Y6
	VPOR Y5, Y6, Y4
	VPTEST Y4, Y4
	JZ flat
	PASS(round1, 11)

	// Transpose, lane by lane: columns 0 to 3 are in the low lanes, 4 to 7 in
	// the high ones, which is how PASS wants them.
	VPACKSSDW Y9, Y8, Y4    // rows 0 1
	VPACKSSDW Y11, Y10, Y5  // rows 2 3
	VPACKSSDW Y13, Y12, Y6  // rows 4 5
	VPACKSSDW Y15, Y14, Y7  // rows 6 7
	VPUNPCKLWD Y6, Y4, Y8   // rows 0 4
	VPUNPCKHWD Y6, Y4, Y9   // rows 1 5
	VPUNPCKLWD Y7, Y5, Y10  // rows 2 6
	VPUNPCKHWD Y7, Y5, Y11  // rows 3 7
	VPUNPCKLWD Y10, Y8, Y4  // rows 0 2 4 6, columns 0 1
	VPUNPCKHWD Y10, Y8, Y5  // columns 2 3
	VPUNPCKLWD Y11, Y9, Y6  // rows 1 3 5 7, columns 0 1
	VPUNPCKHWD Y11, Y9, Y7  // columns 2 3
	VPUNPCKLWD Y6, Y4, Y0
	VPUNPCKHWD Y6, Y4, Y1
	VPUNPCKLWD Y7, Y5, Y2
	VPUNPCKHWD Y7, Y5, Y3

rows:
	PASS(round2, 18)

	VPACKSSDW Y9, Y8, Y8    // columns 0 1, rows 0–3 and 4–7
	VPACKSSDW Y11, Y10, Y10
	VPACKSSDW Y13, Y12, Y12
	VPACKSSDW Y15, Y14, Y14
	VPACKSSWB Y10, Y8, Y8   // columns 0 to 3
	VPACKSSWB Y14, Y12, Y12 // columns 4 to 7
	VMOVDQU turn<>(SB), Y0
	VPSHUFB Y0, Y8, Y8
	VPSHUFB Y0, Y12, Y12
	VMOVDQU shift128<>(SB), Y1
	VPADDB Y1, Y8, Y8
	VPADDB Y1, Y12, Y12
	VPUNPCKLDQ Y12, Y8, Y2  // rows 0 1, 4 5
	VPUNPCKHDQ Y12, Y8, Y3  // rows 2 3, 6 7
	VEXTRACTI128 $1, Y2, X4
	VEXTRACTI128 $1, Y3, X5
	LEAQ (DX)(DX*2), CX
	LEAQ (DI)(DX*4), R8
	VMOVQ X2, (DI)
	VPEXTRQ $1, X2, (DI)(DX*1)
	VMOVQ X3, (DI)(DX*2)
	VPEXTRQ $1, X3, (DI)(CX*1)
	VMOVQ X4, (R8)
	VPEXTRQ $1, X4, (R8)(DX*1)
	VMOVQ X5, (R8)(DX*2)
	VPEXTRQ $1, X5, (R8)(CX*1)
	VZEROUPPER
	RET

	// Only the first row has coefficients: all elements of a column are alike.
flat:
	VPSLLW $2, X0, X0
	VPUNPCKLWD X0, X0, X4
	VPUNPCKHWD X0, X0, X5
	VINSERTI128 $1, X5, Y4, Y4
	VPSHUFD $0x00, Y4, Y0
	VPSHUFD $0x55, Y4, Y1
	VPSHUFD $0xaa, Y4, Y2
	VPSHUFD $0xff, Y4, Y3
	JMP rows
