//go:build amd64 && !noasm

#include "textflag.h"

// func mixBytesAVX2(sums *int16, row, other *byte, n16 int)
TEXT ·mixBytesAVX2(SB), NOSPLIT, $0-32
	MOVQ sums+0(FP), DI
	MOVQ row+8(FP), SI
	MOVQ other+16(FP), R8
	MOVQ n16+24(FP), CX

mix:
	VPMOVZXBW (SI), Y0
	VPMOVZXBW (R8), Y1
	VPADDW Y0, Y1, Y1
	VPADDW Y0, Y0, Y0
	VPADDW Y0, Y1, Y1
	VMOVDQU Y1, (DI)
	ADDQ $16, SI
	ADDQ $16, R8
	ADDQ $32, DI
	DECQ CX
	JNZ mix
	VZEROUPPER
	RET

// func doubleSumsAVX2(out *byte, sums *int16, even, odd int16, n16 int)
TEXT ·doubleSumsAVX2(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), DI
	MOVQ sums+8(FP), SI
	VPBROADCASTW even+16(FP), Y6
	VPBROADCASTW odd+18(FP), Y7
	MOVQ n16+24(FP), CX

double:
	VMOVDQU 2(SI), Y0
	VPADDW Y0, Y0, Y1
	VPADDW Y0, Y1, Y1
	VPADDW (SI), Y1, Y2
	VPADDW 4(SI), Y1, Y3
	VPADDW Y6, Y2, Y2
	VPADDW Y7, Y3, Y3
	VPSRLW $4, Y2, Y2
	VPSRLW $4, Y3, Y3
	VPSLLW $8, Y3, Y3
	VPOR Y3, Y2, Y2
	VMOVDQU Y2, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ double
	VZEROUPPER
	RET

// func multiplyAVX2(out, in *[64]int16, q *[64]uint16)
TEXT ·multiplyAVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ in+8(FP), SI
	MOVQ q+16(FP), R8
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VPMULLW (R8), Y0, Y0
	VPMULLW 32(R8), Y1, Y1
	VPMULLW 64(R8), Y2, Y2
	VPMULLW 96(R8), Y3, Y3
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	VZEROUPPER
	RET
