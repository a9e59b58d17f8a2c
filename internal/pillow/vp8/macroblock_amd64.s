//go:build amd64 && !noasm

#include "textflag.h"

DATA cosine<>+0(SB)/8, $0x00004e7b00004e7b
DATA cosine<>+8(SB)/8, $0x00004e7b00004e7b
GLOBL cosine<>(SB), RODATA|NOPTR, $16
DATA sine<>+0(SB)/8, $0x00008a8c00008a8c
DATA sine<>+8(SB)/8, $0x00008a8c00008a8c
GLOBL sine<>(SB), RODATA|NOPTR, $16
DATA half<>+0(SB)/8, $0x0000000400000004
DATA half<>+8(SB)/8, $0x0000000400000004
GLOBL half<>(SB), RODATA|NOPTR, $16

// A pass over X0 to X3, into X4 to X7.
#define PASS \
	VPMULLD sine<>(SB), X1, X8     \
	VPMULLD cosine<>(SB), X3, X9   \
	VPMULLD cosine<>(SB), X1, X10  \
	VPMULLD sine<>(SB), X3, X11    \
	VPSRAD $16, X8, X8             \
	VPSRAD $16, X9, X9             \
	VPSRAD $16, X10, X10           \
	VPSRAD $16, X11, X11           \
	VPADDD X3, X9, X9              \
	VPADDD X1, X10, X10            \
	VPSUBD X9, X8, X8              \
	VPADDD X11, X10, X10           \
	VPADDD X2, X0, X9              \
	VPSUBD X2, X0, X11             \
	VPADDD X10, X9, X4             \
	VPADDD X8, X11, X5             \
	VPSUBD X8, X11, X6             \
	VPSUBD X10, X9, X7

// X4 to X7 turned, into X0 to X3.
#define TURN \
	VPUNPCKLDQ X5, X4, X8    \
	VPUNPCKHDQ X5, X4, X9    \
	VPUNPCKLDQ X7, X6, X10   \
	VPUNPCKHDQ X7, X6, X11   \
	VPUNPCKLQDQ X10, X8, X0  \
	VPUNPCKHQDQ X10, X8, X1  \
	VPUNPCKLQDQ X11, X9, X2  \
	VPUNPCKHQDQ X11, X9, X3

// func addAVX2(pix *uint8, stride int, in *[16]int16)
TEXT ·addAVX2(SB), NOSPLIT, $0-24
	MOVQ pix+0(FP), DI
	MOVQ stride+8(FP), CX
	MOVQ in+16(FP), SI
	LEAQ (DI)(CX*2), R8
	VPMOVSXWD (SI), X0
	VPMOVSXWD 8(SI), X1
	VPMOVSXWD 16(SI), X2
	VPMOVSXWD 24(SI), X3
	VPXOR Y12, Y12, Y12
	VMOVDQU Y12, (SI)
	PASS
	TURN
	VPADDD half<>(SB), X0, X0
	PASS
	VPSRAD $3, X4, X4
	VPSRAD $3, X5, X5
	VPSRAD $3, X6, X6
	VPSRAD $3, X7, X7
	TURN
	VPMOVZXBD (DI), X4
	VPMOVZXBD (DI)(CX*1), X5
	VPMOVZXBD (R8), X6
	VPMOVZXBD (R8)(CX*1), X7
	VPADDD X4, X0, X0
	VPADDD X5, X1, X1
	VPADDD X6, X2, X2
	VPADDD X7, X3, X3
	VPACKSSDW X1, X0, X0
	VPACKSSDW X3, X2, X2
	VPACKUSWB X2, X0, X0
	VMOVD X0, (DI)
	VPEXTRD $1, X0, (DI)(CX*1)
	VPEXTRD $2, X0, (R8)
	VPEXTRD $3, X0, (R8)(CX*1)
	VZEROUPPER
	RET
