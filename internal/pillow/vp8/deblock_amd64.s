//go:build amd64 && !noasm

#include "textflag.h"

DATA sign<>+0(SB)/8, $0x8080808080808080
DATA sign<>+8(SB)/8, $0x8080808080808080
GLOBL sign<>(SB), RODATA|NOPTR, $16
DATA even<>+0(SB)/8, $0xfefefefefefefefe
DATA even<>+8(SB)/8, $0xfefefefefefefefe
GLOBL even<>(SB), RODATA|NOPTR, $16
DATA one<>+0(SB)/8, $0x0101010101010101
DATA one<>+8(SB)/8, $0x0101010101010101
GLOBL one<>(SB), RODATA|NOPTR, $16
DATA three<>+0(SB)/8, $0x0303030303030303
DATA three<>+8(SB)/8, $0x0303030303030303
GLOBL three<>(SB), RODATA|NOPTR, $16
DATA four<>+0(SB)/8, $0x0404040404040404
DATA four<>+8(SB)/8, $0x0404040404040404
GLOBL four<>(SB), RODATA|NOPTR, $16
DATA sixteen<>+0(SB)/8, $0x1010101010101010
DATA sixteen<>+8(SB)/8, $0x1010101010101010
GLOBL sixteen<>(SB), RODATA|NOPTR, $16
DATA low5<>+0(SB)/8, $0x1f1f1f1f1f1f1f1f
DATA low5<>+8(SB)/8, $0x1f1f1f1f1f1f1f1f
GLOBL low5<>(SB), RODATA|NOPTR, $16
DATA low7<>+0(SB)/8, $0x7f7f7f7f7f7f7f7f
DATA low7<>+8(SB)/8, $0x7f7f7f7f7f7f7f7f
GLOBL low7<>(SB), RODATA|NOPTR, $16
DATA sixtyFour<>+0(SB)/8, $0x4040404040404040
DATA sixtyFour<>+8(SB)/8, $0x4040404040404040
GLOBL sixtyFour<>(SB), RODATA|NOPTR, $16
DATA nine<>+0(SB)/8, $0x0009000900090009
DATA nine<>+8(SB)/8, $0x0009000900090009
DATA nine<>+16(SB)/8, $0x0009000900090009
DATA nine<>+24(SB)/8, $0x0009000900090009
GLOBL nine<>(SB), RODATA|NOPTR, $32
DATA sixtyThree<>+0(SB)/8, $0x003f003f003f003f
DATA sixtyThree<>+8(SB)/8, $0x003f003f003f003f
DATA sixtyThree<>+16(SB)/8, $0x003f003f003f003f
DATA sixtyThree<>+24(SB)/8, $0x003f003f003f003f
GLOBL sixtyThree<>(SB), RODATA|NOPTR, $32

// How far a and b are apart.
#define APART(a, b, t, out) \
	VPSUBUSB a, b, t   \
	VPSUBUSB b, a, out \
	VPOR t, out, out

// a and b, of which v says how far they approach each other, do so.
#define PULL(v, t, a, b) \
	VPADDSB four<>(SB), v, t    \
	VPXOR sign<>(SB), t, t      \
	VPSRLW $3, t, t             \
	VPAND low5<>(SB), t, t      \
	VPSUBB sixteen<>(SB), t, t  \
	VPSUBSB t, b, b             \
	VPADDSB three<>(SB), v, v   \
	VPXOR sign<>(SB), v, v      \
	VPSRLW $3, v, v             \
	VPAND low5<>(SB), v, v      \
	VPSUBB sixteen<>(SB), v, v  \
	VPADDSB v, a, a

// (w+63)>>7 of words is added to a and taken from b.
#define SHARE(w, a, b) \
	VPADDW sixtyThree<>(SB), w, Y13 \
	VPSRAW $7, Y13, Y13             \
	VEXTRACTI128 $1, Y13, X14       \
	VPACKSSWB X14, X13, X13         \
	VPADDSB X13, a, a               \
	VPSUBSB X13, b, b

// X0 to X3 lie before the edge, X4 to X7 behind it.
#define SMOOTH \
	APART(X0, X1, X8, X9)          \
	APART(X1, X2, X8, X10)         \
	VPMAXUB X10, X9, X9            \
	APART(X5, X6, X8, X10)         \
	VPMAXUB X10, X9, X9            \
	APART(X6, X7, X8, X10)         \
	VPMAXUB X10, X9, X9            \
	APART(X2, X3, X8, X10)         \
	APART(X4, X5, X8, X11)         \
	VPMAXUB X11, X10, X10          \
	VPMAXUB X10, X9, X9            \
	VPBROADCASTB inside+25(FP), X11 \
	VPSUBUSB X11, X9, X9           \
	VPBROADCASTB high+26(FP), X11  \
	VPSUBUSB X11, X10, X10         \
	VPXOR X15, X15, X15            \
	VPCMPEQB X15, X10, X10 /* where little varies */ \
	APART(X3, X4, X8, X11)         \
	VPADDUSB X11, X11, X11         \
	APART(X2, X5, X8, X12)         \
	VPAND even<>(SB), X12, X12     \
	VPSRLW $1, X12, X12            \
	VPADDUSB X12, X11, X11         \
	VPBROADCASTB limit+24(FP), X12 \
	VPSUBUSB X12, X11, X11         \
	VPOR X11, X9, X9               \
	VPCMPEQB X15, X9, X9   /* where to smooth */ \
	VMOVDQU sign<>(SB), X8         \
	VPXOR X8, X1, X1               \
	VPXOR X8, X2, X2               \
	VPXOR X8, X3, X3               \
	VPXOR X8, X4, X4               \
	VPXOR X8, X5, X5               \
	VPXOR X8, X6, X6               \
	VPSUBSB X3, X4, X11            \
	VPSUBSB X5, X2, X12            \
	CMPB inner+27(FP), $0          \
	JEQ outer                      \
	VPANDN X12, X10, X12           \
	VPADDSB X11, X12, X12          \
	VPADDSB X11, X12, X12          \
	VPADDSB X11, X12, X12          \
	VPAND X9, X12, X12             \
	PULL(X12, X13, X3, X4)         \
	VPADDB one<>(SB), X13, X13     \
	VPXOR X8, X13, X13             \
	VPSRLW $1, X13, X13            \
	VPAND low7<>(SB), X13, X13     \
	VPSUBB sixtyFour<>(SB), X13, X13 \
	VPAND X10, X13, X13            \
	VPADDSB X13, X2, X2            \
	VPSUBSB X13, X5, X5            \
	JMP done                       \
outer: \
	VPADDSB X11, X12, X12          \
	VPADDSB X11, X12, X12          \
	VPADDSB X11, X12, X12          \
	VPAND X9, X12, X12             \
	VPANDN X12, X10, X11           \
	PULL(X11, X13, X3, X4)         \
	VPAND X10, X12, X12            \
	VPMOVSXBW X12, Y12             \
	VPMULLW nine<>(SB), Y12, Y11   \
	SHARE(Y11, X1, X6)             \
	VPADDW Y11, Y11, Y12           \
	SHARE(Y12, X2, X5)             \
	VPADDW Y11, Y12, Y12           \
	SHARE(Y12, X3, X4)             \
done: \
	VPXOR X8, X1, X1               \
	VPXOR X8, X2, X2               \
	VPXOR X8, X3, X3               \
	VPXOR X8, X4, X4               \
	VPXOR X8, X5, X5               \
	VPXOR X8, X6, X6

// Eight samples of a and eight of b.
#define LOAD(a, b, x) \
	VMOVQ a, x \
	VMOVHPS b, x, x

#define STORE(x, a, b) \
	VMOVQ x, a \
	VMOVHPS x, b

// func smoothRowsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool)
TEXT ·smoothRowsAVX2(SB), NOSPLIT, $0-28
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ stride+16(FP), CX
	MOVQ CX, DX
	SHLQ $2, DX
	MOVQ DI, R8
	SUBQ DX, R8            // four rows above
	MOVQ SI, R9
	SUBQ DX, R9
	LEAQ (CX)(CX*2), DX
	LOAD((R8), (R9), X0)
	LOAD((R8)(CX*1), (R9)(CX*1), X1)
	LOAD((R8)(CX*2), (R9)(CX*2), X2)
	LOAD((R8)(DX*1), (R9)(DX*1), X3)
	LOAD((DI), (SI), X4)
	LOAD((DI)(CX*1), (SI)(CX*1), X5)
	LOAD((DI)(CX*2), (SI)(CX*2), X6)
	LOAD((DI)(DX*1), (SI)(DX*1), X7)
	SMOOTH
	STORE(X1, (R8)(CX*1), (R9)(CX*1))
	STORE(X2, (R8)(CX*2), (R9)(CX*2))
	STORE(X3, (R8)(DX*1), (R9)(DX*1))
	STORE(X4, (DI), (SI))
	STORE(X5, (DI)(CX*1), (SI)(CX*1))
	STORE(X6, (DI)(CX*2), (SI)(CX*2))
	VZEROUPPER
	RET

// func smoothColumnsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool)
TEXT ·smoothColumnsAVX2(SB), NOSPLIT, $0-28
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ stride+16(FP), CX
	LEAQ (CX)(CX*2), DX
	SUBQ $4, DI
	SUBQ $4, SI
	LEAQ (DI)(CX*4), R8
	LEAQ (SI)(CX*4), R9
	LOAD((DI), (SI), X0)
	LOAD((DI)(CX*1), (SI)(CX*1), X1)
	LOAD((DI)(CX*2), (SI)(CX*2), X2)
	LOAD((DI)(DX*1), (SI)(DX*1), X3)
	LOAD((R8), (R9), X4)
	LOAD((R8)(CX*1), (R9)(CX*1), X5)
	LOAD((R8)(CX*2), (R9)(CX*2), X6)
	LOAD((R8)(DX*1), (R9)(DX*1), X7)

	// Bytes, words, double words and quadruple words in turns: rows become columns.
	VPUNPCKLBW X1, X0, X8
	VPUNPCKHBW X1, X0, X9
	VPUNPCKLBW X3, X2, X10
	VPUNPCKHBW X3, X2, X11
	VPUNPCKLBW X5, X4, X12
	VPUNPCKHBW X5, X4, X13
	VPUNPCKLBW X7, X6, X14
	VPUNPCKHBW X7, X6, X15
	VPUNPCKLWD X10, X8, X0
	VPUNPCKHWD X10, X8, X1
	VPUNPCKLWD X11, X9, X2
	VPUNPCKHWD X11, X9, X3
	VPUNPCKLWD X14, X12, X4
	VPUNPCKHWD X14, X12, X5
	VPUNPCKLWD X15, X13, X6
	VPUNPCKHWD X15, X13, X7
	VPUNPCKLDQ X4, X0, X8
	VPUNPCKHDQ X4, X0, X9
	VPUNPCKLDQ X5, X1, X10
	VPUNPCKHDQ X5, X1, X11
	VPUNPCKLDQ X6, X2, X12
	VPUNPCKHDQ X6, X2, X13
	VPUNPCKLDQ X7, X3, X14
	VPUNPCKHDQ X7, X3, X15
	VPUNPCKLQDQ X12, X8, X0
	VPUNPCKHQDQ X12, X8, X1
	VPUNPCKLQDQ X13, X9, X2
	VPUNPCKHQDQ X13, X9, X3
	VPUNPCKLQDQ X14, X10, X4
	VPUNPCKHQDQ X14, X10, X5
	VPUNPCKLQDQ X15, X11, X6
	VPUNPCKHQDQ X15, X11, X7
	SMOOTH
	VPUNPCKLBW X1, X0, X8
	VPUNPCKHBW X1, X0, X9
	VPUNPCKLBW X3, X2, X10
	VPUNPCKHBW X3, X2, X11
	VPUNPCKLBW X5, X4, X12
	VPUNPCKHBW X5, X4, X13
	VPUNPCKLBW X7, X6, X14
	VPUNPCKHBW X7, X6, X15
	VPUNPCKLWD X10, X8, X0
	VPUNPCKHWD X10, X8, X1
	VPUNPCKLWD X11, X9, X2
	VPUNPCKHWD X11, X9, X3
	VPUNPCKLWD X14, X12, X4
	VPUNPCKHWD X14, X12, X5
	VPUNPCKLWD X15, X13, X6
	VPUNPCKHWD X15, X13, X7
	VPUNPCKLDQ X4, X0, X8
	VPUNPCKHDQ X4, X0, X9
	VPUNPCKLDQ X5, X1, X10
	VPUNPCKHDQ X5, X1, X11
	VPUNPCKLDQ X6, X2, X12
	VPUNPCKHDQ X6, X2, X13
	VPUNPCKLDQ X7, X3, X14
	VPUNPCKHDQ X7, X3, X15
	STORE(X8, (DI), (DI)(CX*1))
	STORE(X9, (DI)(CX*2), (DI)(DX*1))
	STORE(X10, (R8), (R8)(CX*1))
	STORE(X11, (R8)(CX*2), (R8)(DX*1))
	STORE(X12, (SI), (SI)(CX*1))
	STORE(X13, (SI)(CX*2), (SI)(DX*1))
	STORE(X14, (R9), (R9)(CX*1))
	STORE(X15, (R9)(CX*2), (R9)(DX*1))
	VZEROUPPER
	RET
