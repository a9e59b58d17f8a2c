//go:build amd64 && !noasm

#include "textflag.h"

// The constants of convertRowGo; round is 1<<15 less what 128 of chroma weigh.
DATA redCr<>+0(SB)/8, $0x000166e9000166e9
DATA redCr<>+8(SB)/8, $0x000166e9000166e9
DATA redCr<>+16(SB)/8, $0x000166e9000166e9
DATA redCr<>+24(SB)/8, $0x000166e9000166e9
GLOBL redCr<>(SB), RODATA|NOPTR, $32
DATA redRound<>+0(SB)/8, $0xff4d0b80ff4d0b80
DATA redRound<>+8(SB)/8, $0xff4d0b80ff4d0b80
DATA redRound<>+16(SB)/8, $0xff4d0b80ff4d0b80
DATA redRound<>+24(SB)/8, $0xff4d0b80ff4d0b80
GLOBL redRound<>(SB), RODATA|NOPTR, $32
DATA greenCr<>+0(SB)/8, $0xffff492effff492e
DATA greenCr<>+8(SB)/8, $0xffff492effff492e
DATA greenCr<>+16(SB)/8, $0xffff492effff492e
DATA greenCr<>+24(SB)/8, $0xffff492effff492e
GLOBL greenCr<>(SB), RODATA|NOPTR, $32
DATA greenCb<>+0(SB)/8, $0xffffa7e6ffffa7e6
DATA greenCb<>+8(SB)/8, $0xffffa7e6ffffa7e6
DATA greenCb<>+16(SB)/8, $0xffffa7e6ffffa7e6
DATA greenCb<>+24(SB)/8, $0xffffa7e6ffffa7e6
GLOBL greenCb<>(SB), RODATA|NOPTR, $32
DATA greenRound<>+0(SB)/8, $0x0087f6000087f600
DATA greenRound<>+8(SB)/8, $0x0087f6000087f600
DATA greenRound<>+16(SB)/8, $0x0087f6000087f600
DATA greenRound<>+24(SB)/8, $0x0087f6000087f600
GLOBL greenRound<>(SB), RODATA|NOPTR, $32
DATA blueCb<>+0(SB)/8, $0x0001c5a20001c5a2
DATA blueCb<>+8(SB)/8, $0x0001c5a20001c5a2
DATA blueCb<>+16(SB)/8, $0x0001c5a20001c5a2
DATA blueCb<>+24(SB)/8, $0x0001c5a20001c5a2
GLOBL blueCb<>(SB), RODATA|NOPTR, $32
DATA blueRound<>+0(SB)/8, $0xff1daf00ff1daf00
DATA blueRound<>+8(SB)/8, $0xff1daf00ff1daf00
DATA blueRound<>+16(SB)/8, $0xff1daf00ff1daf00
DATA blueRound<>+24(SB)/8, $0xff1daf00ff1daf00
GLOBL blueRound<>(SB), RODATA|NOPTR, $32
DATA opaque<>+0(SB)/8, $0x000000ff000000ff
DATA opaque<>+8(SB)/8, $0x000000ff000000ff
DATA opaque<>+16(SB)/8, $0x000000ff000000ff
DATA opaque<>+24(SB)/8, $0x000000ff000000ff
GLOBL opaque<>(SB), RODATA|NOPTR, $32

// To transpose 4×4 bytes.
DATA planar<>+0(SB)/8, $0x0d0905010c080400
DATA planar<>+8(SB)/8, $0x0f0b07030e0a0602
DATA planar<>+16(SB)/8, $0x0d0905010c080400
DATA planar<>+24(SB)/8, $0x0f0b07030e0a0602
GLOBL planar<>(SB), RODATA|NOPTR, $32

// func convertRowAVX2(dst, luma, cb, cr *byte, n8 int)
TEXT ·convertRowAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ luma+8(FP), SI
	MOVQ cb+16(FP), R8
	MOVQ cr+24(FP), R9
	MOVQ n8+32(FP), CX
	VMOVDQU redCr<>(SB), Y8
	VMOVDQU redRound<>(SB), Y9
	VMOVDQU greenCr<>(SB), Y10
	VMOVDQU greenCb<>(SB), Y11
	VMOVDQU greenRound<>(SB), Y12
	VMOVDQU blueCb<>(SB), Y13
	VMOVDQU blueRound<>(SB), Y14
	VMOVDQU opaque<>(SB), Y15
	VMOVDQU planar<>(SB), Y7

eight:
	VPMOVZXBD (SI), Y0
	VPMOVZXBD (R8), Y1
	VPMOVZXBD (R9), Y2
	VPMULLD Y8, Y2, Y3
	VPADDD Y9, Y3, Y3
	VPSRAD $16, Y3, Y3
	VPADDD Y0, Y3, Y3    // red
	VPMULLD Y10, Y2, Y4
	VPMULLD Y11, Y1, Y5
	VPADDD Y12, Y4, Y4
	VPADDD Y5, Y4, Y4
	VPSRAD $16, Y4, Y4
	VPADDD Y0, Y4, Y4    // green
	VPMULLD Y13, Y1, Y5
	VPADDD Y14, Y5, Y5
	VPSRAD $16, Y5, Y5
	VPADDD Y0, Y5, Y5    // blue
	VPACKSSDW Y4, Y3, Y3
	VPACKSSDW Y15, Y5, Y5
	VPACKUSWB Y5, Y3, Y3
	VPSHUFB Y7, Y3, Y3
	VMOVDQU Y3, (DI)
	ADDQ $8, SI
	ADDQ $8, R8
	ADDQ $8, R9
	ADDQ $32, DI
	DECQ CX
	JNZ eight
	VZEROUPPER
	RET
