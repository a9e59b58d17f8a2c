//go:build amd64 && !noasm

#include "textflag.h"

// Weights of pairs of coefficients, for VPMADDWD: of idct_small.go's constants, with 1<<14 for
// the first coefficient. sum02 and sum46 are of e+z in inverseDCT4, less02 and less46 of e−z.
DATA sum02<>+0(SB)/8, $0x3b2140003b214000
DATA sum02<>+8(SB)/8, $0x3b2140003b214000
DATA sum02<>+16(SB)/8, $0x3b2140003b214000
DATA sum02<>+24(SB)/8, $0x3b2140003b214000
GLOBL sum02<>(SB), RODATA|NOPTR, $32
DATA less02<>+0(SB)/8, $0xc4df4000c4df4000
DATA less02<>+8(SB)/8, $0xc4df4000c4df4000
DATA less02<>+16(SB)/8, $0xc4df4000c4df4000
DATA less02<>+24(SB)/8, $0xc4df4000c4df4000
GLOBL less02<>(SB), RODATA|NOPTR, $32
DATA sum46<>+0(SB)/8, $0xe7820000e7820000
DATA sum46<>+8(SB)/8, $0xe7820000e7820000
DATA sum46<>+16(SB)/8, $0xe7820000e7820000
DATA sum46<>+24(SB)/8, $0xe7820000e7820000
GLOBL sum46<>(SB), RODATA|NOPTR, $32
DATA less46<>+0(SB)/8, $0x187e0000187e0000
DATA less46<>+8(SB)/8, $0x187e0000187e0000
DATA less46<>+16(SB)/8, $0x187e0000187e0000
DATA less46<>+24(SB)/8, $0x187e0000187e0000
GLOBL less46<>(SB), RODATA|NOPTR, $32
DATA farther13<>+0(SB)/8, $0x1ccd52031ccd5203
DATA farther13<>+8(SB)/8, $0x1ccd52031ccd5203
DATA farther13<>+16(SB)/8, $0x1ccd52031ccd5203
DATA farther13<>+24(SB)/8, $0x1ccd52031ccd5203
GLOBL farther13<>(SB), RODATA|NOPTR, $32
DATA farther57<>+0(SB)/8, $0xefb0ecc2efb0ecc2
DATA farther57<>+8(SB)/8, $0xefb0ecc2efb0ecc2
DATA farther57<>+16(SB)/8, $0xefb0ecc2efb0ecc2
DATA farther57<>+24(SB)/8, $0xefb0ecc2efb0ecc2
GLOBL farther57<>(SB), RODATA|NOPTR, $32
DATA nearer13<>+0(SB)/8, $0xba7921f9ba7921f9
DATA nearer13<>+8(SB)/8, $0xba7921f9ba7921f9
DATA nearer13<>+16(SB)/8, $0xba7921f9ba7921f9
DATA nearer13<>+24(SB)/8, $0xba7921f9ba7921f9
GLOBL nearer13<>(SB), RODATA|NOPTR, $32
DATA nearer57<>+0(SB)/8, $0xf93e2e75f93e2e75
DATA nearer57<>+8(SB)/8, $0xf93e2e75f93e2e75
DATA nearer57<>+16(SB)/8, $0xf93e2e75f93e2e75
DATA nearer57<>+24(SB)/8, $0xf93e2e75f93e2e75
GLOBL nearer57<>(SB), RODATA|NOPTR, $32
DATA odd13<>+0(SB)/8, $0xd74673fcd74673fc
DATA odd13<>+8(SB)/8, $0xd74673fcd74673fc
DATA odd13<>+16(SB)/8, $0xd74673fcd74673fc
DATA odd13<>+24(SB)/8, $0xd74673fcd74673fc
GLOBL odd13<>(SB), RODATA|NOPTR, $32
DATA odd57<>+0(SB)/8, $0xe8ee1b37e8ee1b37
DATA odd57<>+8(SB)/8, $0xe8ee1b37e8ee1b37
DATA odd57<>+16(SB)/8, $0xe8ee1b37e8ee1b37
DATA odd57<>+24(SB)/8, $0xe8ee1b37e8ee1b37
GLOBL odd57<>(SB), RODATA|NOPTR, $32

// Halves of what the passes shift out, for rounding.
DATA columns4<>+0(SB)/8, $0x0000080000000800
DATA columns4<>+8(SB)/8, $0x0000080000000800
DATA columns4<>+16(SB)/8, $0x0000080000000800
DATA columns4<>+24(SB)/8, $0x0000080000000800
GLOBL columns4<>(SB), RODATA|NOPTR, $32
DATA rows4<>+0(SB)/8, $0x0004000000040000
DATA rows4<>+8(SB)/8, $0x0004000000040000
DATA rows4<>+16(SB)/8, $0x0004000000040000
DATA rows4<>+24(SB)/8, $0x0004000000040000
GLOBL rows4<>(SB), RODATA|NOPTR, $32
DATA columns2<>+0(SB)/8, $0x0000100000001000
DATA columns2<>+8(SB)/8, $0x0000100000001000
DATA columns2<>+16(SB)/8, $0x0000100000001000
DATA columns2<>+24(SB)/8, $0x0000100000001000
GLOBL columns2<>(SB), RODATA|NOPTR, $32
DATA rows2<>+0(SB)/8, $0x0008000000080000
DATA rows2<>+8(SB)/8, $0x0008000000080000
GLOBL rows2<>(SB), RODATA|NOPTR, $16

// Of two rows of four words: the odd ones of each, then the even ones; for 2×2 the even ones
// above zeroes.
DATA parted<>+0(SB)/8, $0x0f0e0b0a07060302
DATA parted<>+8(SB)/8, $0x0d0c090805040100
DATA parted<>+16(SB)/8, $0x0f0e0b0a07060302
DATA parted<>+24(SB)/8, $0x0d0c090805040100
GLOBL parted<>(SB), RODATA|NOPTR, $32
DATA parted2<>+0(SB)/8, $0x0f0e0b0a07060302
DATA parted2<>+8(SB)/8, $0x0908808001008080
DATA parted2<>+16(SB)/8, $0x0f0e0b0a07060302
DATA parted2<>+24(SB)/8, $0x0908808001008080
GLOBL parted2<>(SB), RODATA|NOPTR, $32

// To transpose 4×4 bytes, and to make samples of levels.
DATA turn<>+0(SB)/8, $0x0d0905010c080400
DATA turn<>+8(SB)/8, $0x0f0b07030e0a0602
GLOBL turn<>(SB), RODATA|NOPTR, $16
DATA shift128<>+0(SB)/8, $0x8080808080808080
DATA shift128<>+8(SB)/8, $0x8080808080808080
GLOBL shift128<>(SB), RODATA|NOPTR, $16

// PAIRS joins two rows of coefficients in ylo, whose lower half is lo: a pair of words for each
// column.
#define PAIRS(a, b, lo, ylo, hi) \
	VMOVDQU a(SI), hi; \
	VPUNPCKLWD b(SI), hi, lo; \
	VPUNPCKHWD b(SI), hi, hi; \
	VINSERTI128 $1, hi, ylo, ylo

// PASS4 is a pass of inverseDCT4 for up to eight columns. In: pairs of coefficients, in Y0 of 0
// and 2, in Y1 4 and 6, Y2 1 and 3, Y3 5 and 7. Out: the four results in Y0 to Y3.
#define PASS4(round, shift) \
	VPMADDWD sum02<>(SB), Y0, Y4; \
	VPMADDWD sum46<>(SB), Y1, Y5; \
	VPMADDWD less02<>(SB), Y0, Y6; \
	VPMADDWD less46<>(SB), Y1, Y7; \
	VPADDD Y5, Y4, Y4; VPADDD round<>(SB), Y4, Y4; \
	VPADDD Y7, Y6, Y5; VPADDD round<>(SB), Y5, Y5; \
	VPMADDWD farther13<>(SB), Y2, Y6; \
	VPMADDWD farther57<>(SB), Y3, Y7; \
	VPMADDWD nearer13<>(SB), Y2, Y8; \
	VPMADDWD nearer57<>(SB), Y3, Y9; \
	VPADDD Y7, Y6, Y6; \
	VPADDD Y9, Y8, Y7; \
	VPADDD Y6, Y4, Y0; VPSUBD Y6, Y4, Y3; \
	VPADDD Y7, Y5, Y1; VPSUBD Y7, Y5, Y2; \
	VPSRAD $shift, Y0, Y0; VPSRAD $shift, Y1, Y1; VPSRAD $shift, Y2, Y2; VPSRAD $shift, Y3, Y3

// func inverseDCT4AVX2(out *byte, stride int, block *[64]int16)
TEXT ·inverseDCT4AVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ block+16(FP), SI
	PAIRS(0, 32, X0, Y0, X4)
	PAIRS(64, 96, X1, Y1, X5) // row 4 has no weight
	PAIRS(16, 48, X2, Y2, X6)
	PAIRS(80, 112, X3, Y3, X7)
	PASS4(columns4, 12)
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VMOVDQU parted<>(SB), Y4
	VPSHUFB Y4, Y0, Y0
	VPSHUFB Y4, Y2, Y4
	VPUNPCKLQDQ Y4, Y0, Y2   // of each row columns 1 and 3, and 5 and 7
	VPUNPCKHQDQ Y4, Y0, Y0   // 0 and 2, and 4 and 6
	VEXTRACTI128 $1, Y0, X1
	VEXTRACTI128 $1, Y2, X3
	PASS4(rows4, 19)
	VPACKSSDW X1, X0, X0
	VPACKSSDW X3, X2, X2
	VPACKSSWB X2, X0, X0
	VPSHUFB turn<>(SB), X0, X0
	VPADDB shift128<>(SB), X0, X0
	LEAQ (DX)(DX*2), CX
	VMOVD X0, (DI)
	VPEXTRD $1, X0, (DI)(DX*1)
	VPEXTRD $2, X0, (DI)(DX*2)
	VPEXTRD $3, X0, (DI)(CX*1)
	VZEROUPPER
	RET

// func inverseDCT2AVX2(out *byte, stride int, block *[64]int16)
TEXT ·inverseDCT2AVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ block+16(FP), SI
	PAIRS(16, 48, X2, Y2, X4)
	PAIRS(80, 112, X3, Y3, X5)
	VPMADDWD odd13<>(SB), Y2, Y2
	VPMADDWD odd57<>(SB), Y3, Y3
	VPADDD Y3, Y2, Y2
	VPMOVSXWD (SI), Y0
	VPSLLD $15, Y0, Y0
	VPADDD columns2<>(SB), Y0, Y0
	VPADDD Y2, Y0, Y1
	VPSUBD Y2, Y0, Y0
	VPSRAD $13, Y1, Y1
	VPSRAD $13, Y0, Y0
	VPACKSSDW Y0, Y1, Y0
	VPSHUFB parted2<>(SB), Y0, Y0 // of both rows columns 1 and 3, and 5 and 7
	VEXTRACTI128 $1, Y0, X1
	VPSHUFD $0xee, X0, X2         // and column 0 times 1<<16
	VPSRAD $1, X2, X2
	VPADDD rows2<>(SB), X2, X2
	VPMADDWD odd13<>(SB), X0, X0
	VPMADDWD odd57<>(SB), X1, X1
	VPADDD X1, X0, X0
	VPADDD X0, X2, X1
	VPSUBD X0, X2, X2
	VPUNPCKLDQ X2, X1, X0
	VPSRAD $20, X0, X0
	VPACKSSDW X0, X0, X0
	VPACKSSWB X0, X0, X0
	VPADDB shift128<>(SB), X0, X0
	VPEXTRW $0, X0, (DI)
	VPEXTRW $1, X0, (DI)(DX*1)
	VZEROUPPER
	RET
