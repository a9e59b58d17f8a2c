//go:build amd64 && !noasm

#include "textflag.h"

// SI is the row, DI the row above, DX the pixel. X0 is the pixel to the left, X1 the one above,
// X2 that above to the left, X3 that above to the right. X14 are ones, X15 is zero.

#define TOP VMOVD (DI)(DX*4), X1
#define TOPLEFT VMOVD -4(DI)(DX*4), X2
#define TOPRIGHT VMOVD 4(DI)(DX*4), X3

// The mean of a and b, rounded down.
#define AVERAGE(a, b, mean, t) \
	VPXOR b, a, t      \
	VPAND X14, t, t    \
	VPAVGB b, a, mean  \
	VPSUBB t, mean, mean

// Adds a prediction and goes on.
#define NEXT(p, loop) \
	VMOVD (SI)(DX*4), X0  \
	VPADDB p, X0, X0      \
	VMOVD X0, (SI)(DX*4)  \
	INCQ DX                  \
	CMPQ DX, CX              \
	JLT loop                 \
	RET

// func predictAVX2(mode uint32, row, above *uint32, n int)
TEXT ·predictAVX2(SB), NOSPLIT, $0-32
	MOVL mode+0(FP), AX
	MOVQ row+8(FP), SI
	MOVQ above+16(FP), DI
	MOVQ n+24(FP), CX
	MOVQ $1, DX
	VMOVD (SI), X0
	VPXOR X15, X15, X15
	VPCMPEQB X14, X14, X14
	VPABSB X14, X14
	CMPL AX, $5
	JEQ five
	CMPL AX, $6
	JEQ six
	CMPL AX, $7
	JEQ seven
	CMPL AX, $8
	JEQ eight
	CMPL AX, $9
	JEQ nine
	CMPL AX, $10
	JEQ ten
	CMPL AX, $11
	JEQ eleven
	CMPL AX, $12
	JEQ twelve

thirteen:
	TOP
	TOPLEFT
	AVERAGE(X0, X1, X4, X5)
	VPUNPCKLBW X15, X4, X4
	VPUNPCKLBW X15, X2, X2
	VPSUBW X2, X4, X5
	VPSRLW $15, X5, X6
	VPADDW X6, X5, X5 // halves are rounded towards zero
	VPSRAW $1, X5, X5
	VPADDW X5, X4, X4
	VPACKUSWB X4, X4, X4
	NEXT(X4, thirteen)

five:
	TOP
	TOPRIGHT
	AVERAGE(X0, X3, X4, X5)
	AVERAGE(X4, X1, X6, X5)
	NEXT(X6, five)

six:
	TOPLEFT
	AVERAGE(X0, X2, X4, X5)
	NEXT(X4, six)

seven:
	TOP
	AVERAGE(X0, X1, X4, X5)
	NEXT(X4, seven)

eight:
	TOP
	TOPLEFT
	AVERAGE(X2, X1, X4, X5)
	NEXT(X4, eight)

nine:
	TOP
	TOPRIGHT
	AVERAGE(X3, X1, X4, X5)
	NEXT(X4, nine)

ten:
	TOP
	TOPLEFT
	TOPRIGHT
	AVERAGE(X3, X1, X6, X5)
	AVERAGE(X0, X2, X4, X5)
	AVERAGE(X4, X6, X7, X5)
	NEXT(X7, ten)

	// The left one where the one above is further from that above to the left.
eleven:
	TOP
	TOPLEFT
	VPSADBW X2, X1, X5
	VPSADBW X2, X0, X4
	VPCMPGTD X5, X4, X4
	VPSHUFD $0, X4, X4
	VPBLENDVB X4, X0, X1, X4
	NEXT(X4, eleven)

twelve:
	TOP
	TOPLEFT
	VPUNPCKLBW X15, X1, X1
	VPUNPCKLBW X15, X2, X2
	VPSUBW X2, X1, X1
	VPUNPCKLBW X15, X0, X4
	VPADDW X1, X4, X4
	VPACKUSWB X4, X4, X4
	NEXT(X4, twelve)
