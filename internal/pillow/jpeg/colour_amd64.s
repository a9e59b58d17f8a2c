//go:build amd64 && !noasm

#include "textflag.h"

// The constants of convertRowGo less whole multiples of 1<<16, which are added apart, so that
// they fit words: 26345 is 91881 − 1<<16, 18734 is 1<<16 − 46802, −14942 is 116130 − 2<<16.
DATA middle<>+0(SB)/8, $0x0080008000800080
DATA middle<>+8(SB)/8, $0x0080008000800080
DATA middle<>+16(SB)/8, $0x0080008000800080
DATA middle<>+24(SB)/8, $0x0080008000800080
GLOBL middle<>(SB), RODATA|NOPTR, $32
DATA redCr<>+0(SB)/8, $0x66e966e966e966e9
DATA redCr<>+8(SB)/8, $0x66e966e966e966e9
DATA redCr<>+16(SB)/8, $0x66e966e966e966e9
DATA redCr<>+24(SB)/8, $0x66e966e966e966e9
GLOBL redCr<>(SB), RODATA|NOPTR, $32
DATA blueCb<>+0(SB)/8, $0xc5a2c5a2c5a2c5a2
DATA blueCb<>+8(SB)/8, $0xc5a2c5a2c5a2c5a2
DATA blueCb<>+16(SB)/8, $0xc5a2c5a2c5a2c5a2
DATA blueCb<>+24(SB)/8, $0xc5a2c5a2c5a2c5a2
GLOBL blueCb<>(SB), RODATA|NOPTR, $32
DATA green<>+0(SB)/8, $0x492ea7e6492ea7e6
DATA green<>+8(SB)/8, $0x492ea7e6492ea7e6
DATA green<>+16(SB)/8, $0x492ea7e6492ea7e6
DATA green<>+24(SB)/8, $0x492ea7e6492ea7e6
GLOBL green<>(SB), RODATA|NOPTR, $32
DATA one<>+0(SB)/8, $0x0001000100010001
DATA one<>+8(SB)/8, $0x0001000100010001
DATA one<>+16(SB)/8, $0x0001000100010001
DATA one<>+24(SB)/8, $0x0001000100010001
GLOBL one<>(SB), RODATA|NOPTR, $32
DATA half<>+0(SB)/8, $0x0000800000008000
DATA half<>+8(SB)/8, $0x0000800000008000
DATA half<>+16(SB)/8, $0x0000800000008000
DATA half<>+24(SB)/8, $0x0000800000008000
GLOBL half<>(SB), RODATA|NOPTR, $32
DATA opaque<>+0(SB)/8, $0x00ff00ff00ff00ff
DATA opaque<>+8(SB)/8, $0x00ff00ff00ff00ff
DATA opaque<>+16(SB)/8, $0x00ff00ff00ff00ff
DATA opaque<>+24(SB)/8, $0x00ff00ff00ff00ff
GLOBL opaque<>(SB), RODATA|NOPTR, $32

// To interleave the halves of a lane.
DATA zip<>+0(SB)/8, $0x0b030a0209010800
DATA zip<>+8(SB)/8, $0x0f070e060d050c04
DATA zip<>+16(SB)/8, $0x0b030a0209010800
DATA zip<>+24(SB)/8, $0x0f070e060d050c04
GLOBL zip<>(SB), RODATA|NOPTR, $32

// func convertRowAVX2(dst, luma, cb, cr *byte, n16 int)
TEXT ·convertRowAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ luma+8(FP), SI
	MOVQ cb+16(FP), R8
	MOVQ cr+24(FP), R9
	MOVQ n16+32(FP), CX
	VMOVDQU middle<>(SB), Y8
	VMOVDQU redCr<>(SB), Y9
	VMOVDQU blueCb<>(SB), Y10
	VMOVDQU green<>(SB), Y11
	VMOVDQU one<>(SB), Y12
	VMOVDQU half<>(SB), Y13
	VMOVDQU opaque<>(SB), Y14
	VMOVDQU zip<>(SB), Y15

sixteen:
	VPMOVZXBW (SI), Y0
	VPMOVZXBW (R8), Y1
	VPMOVZXBW (R9), Y2
	VPSUBW Y8, Y1, Y1
	VPSUBW Y8, Y2, Y2

	// The high half of a product with twice the chroma, rounded once more, is
	// the product divided by 1<<16 and rounded.
	VPADDW Y2, Y2, Y3
	VPMULHW Y9, Y3, Y3
	VPADDW Y12, Y3, Y3
	VPSRAW $1, Y3, Y3
	VPADDW Y2, Y3, Y3
	VPADDW Y0, Y3, Y3    // red
	VPADDW Y1, Y1, Y4
	VPMULHW Y10, Y4, Y5
	VPADDW Y12, Y5, Y5
	VPSRAW $1, Y5, Y5
	VPADDW Y4, Y5, Y5
	VPADDW Y0, Y5, Y5    // blue
	VPUNPCKLWD Y2, Y1, Y6
	VPUNPCKHWD Y2, Y1, Y7
	VPMADDWD Y11, Y6, Y6
	VPMADDWD Y11, Y7, Y7
	VPADDD Y13, Y6, Y6
	VPADDD Y13, Y7, Y7
	VPSRAD $16, Y6, Y6
	VPSRAD $16, Y7, Y7
	VPACKSSDW Y7, Y6, Y6
	VPSUBW Y2, Y6, Y6
	VPADDW Y0, Y6, Y6    // green

	VPACKUSWB Y6, Y3, Y3
	VPACKUSWB Y14, Y5, Y5
	VPSHUFB Y15, Y3, Y3  // red and green in turns
	VPSHUFB Y15, Y5, Y5
	VPUNPCKLWD Y5, Y3, Y0
	VPUNPCKHWD Y5, Y3, Y1
	VPERM2I128 $0x20, Y1, Y0, Y2
	VPERM2I128 $0x31, Y1, Y0, Y3
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, 32(DI)
	ADDQ $16, SI
	ADDQ $16, R8
	ADDQ $16, R9
	ADDQ $64, DI
	DECQ CX
	JNZ sixteen
	VZEROUPPER
	RET

// func weaveAVX2(dst, a, b, c, d *byte, flip uint64, n16 int)
TEXT ·weaveAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), R8
	MOVQ b+16(FP), R9
	MOVQ c+24(FP), R10
	MOVQ d+32(FP), R11
	VPBROADCASTQ flip+40(FP), X7
	MOVQ n16+48(FP), CX

pixels:
	VPXOR (R8), X7, X0
	VPXOR (R9), X7, X1
	VPXOR (R10), X7, X2
	VPXOR (R11), X7, X3
	VPUNPCKLBW X1, X0, X4
	VPUNPCKHBW X1, X0, X0
	VPUNPCKLBW X3, X2, X5
	VPUNPCKHBW X3, X2, X2
	VPUNPCKLWD X5, X4, X1
	VPUNPCKHWD X5, X4, X3
	VPUNPCKLWD X2, X0, X4
	VPUNPCKHWD X2, X0, X5
	VMOVDQU X1, (DI)
	VMOVDQU X3, 16(DI)
	VMOVDQU X4, 32(DI)
	VMOVDQU X5, 48(DI)
	ADDQ $16, R8
	ADDQ $16, R9
	ADDQ $16, R10
	ADDQ $16, R11
	ADDQ $64, DI
	DECQ CX
	JNZ pixels
	VZEROUPPER
	RET
