//go:build amd64 && !noasm

#include "textflag.h"

// func shuffleAVX2(dst, src *uint8, n8, size int, order, alpha *[16]uint8)
TEXT ·shuffleAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n8+16(FP), CX
	MOVQ size+24(FP), DX
	MOVQ order+32(FP), R8
	MOVQ alpha+40(FP), R9
	VBROADCASTI128 (R8), Y1
	VBROADCASTI128 (R9), Y2
	SHLQ $2, DX // of four pixels

eight:
	VMOVDQU (SI), X0
	VINSERTI128 $1, (SI)(DX*1), Y0, Y0
	VPSHUFB Y1, Y0, Y0
	VPOR Y2, Y0, Y0
	VMOVDQU Y0, (DI)
	LEAQ (SI)(DX*2), SI
	ADDQ $32, DI
	DECQ CX
	JNZ eight
	VZEROUPPER
	RET
