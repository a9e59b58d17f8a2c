//go:build !noasm

#include "textflag.h"

// The pixels of a row are done one after another, since each needs the one before it:
// SIZE bytes each, in the low ones of a register. Of 3 bytes the fourth, which is read,
// belongs to the next pixel and is not written.
#define HEAD \
	MOVQ cur+0(FP), DI  \
	MOVQ up+8(FP), SI   \
	MOVQ n+16(FP), CX   \
	MOVQ size+24(FP), DX

#define STORE(x) \
	VMOVD x, AX     \
	MOVW  AX, (DI)  \
	SHRL  $16, AX   \
	MOVB  AX, 2(DI) \
	CMPQ  DX, $4    \
	JNE   3(PC)     \
	SHRL  $8, AX    \
	MOVB  AX, 3(DI) \
	ADDQ  DX, DI    \
	ADDQ  DX, SI

// func subAVX2(cur, up *uint8, n, size int)
TEXT ·subAVX2(SB), NOSPLIT, $0-32
	HEAD
	VPXOR X0, X0, X0

sub:
	VMOVD  (DI), X1
	VPADDB X1, X0, X0
	STORE(X0)
	DECQ   CX
	JNZ    sub
	RET

// func averageAVX2(cur, up *uint8, n, size int)
TEXT ·averageAVX2(SB), NOSPLIT, $0-32
	HEAD
	VPXOR    X0, X0, X0
	VPCMPEQB X5, X5, X5
	VPABSB   X5, X5     // ones

average:
	VMOVD  (DI), X1
	VMOVD  (SI), X2
	VPXOR  X0, X2, X3
	VPAND  X5, X3, X3
	VPAVGB X0, X2, X4 // rounded up
	VPSUBB X3, X4, X4
	VPADDB X1, X4, X0
	STORE(X0)
	DECQ   CX
	JNZ    average
	RET

// func paethAVX2(cur, up *uint8, n, size int)
TEXT ·paethAVX2(SB), NOSPLIT, $0-32
	HEAD
	VPXOR X0, X0, X0 // left, as words
	VPXOR X2, X2, X2 // corner

paeth:
	VMOVD     (SI), X1
	VPMOVZXBW X1, X1         // above
	VMOVD     (DI), X7
	VPSUBW    X2, X1, X3     // to left
	VPSUBW    X2, X0, X4     // to above
	VPADDW    X3, X4, X5     // to corner
	VPABSW    X3, X3
	VPABSW    X4, X4
	VPABSW    X5, X5
	VPMINSW   X3, X4, X6
	VPMINSW   X5, X6, X6
	VPCMPEQW  X6, X3, X3
	VPCMPEQW  X6, X4, X4
	VPBLENDVB X4, X1, X2, X8
	VPBLENDVB X3, X0, X8, X8
	VPACKUSWB X8, X8, X8
	VPADDB    X7, X8, X8
	STORE(X8)
	VPMOVZXBW X8, X0
	VMOVDQA   X1, X2
	DECQ      CX
	JNZ       paeth
	RET
