//go:build amd64 && !noasm

#include "go_asm.h"
#include "textflag.h"

// AX is the reader's acc, CX its n, SI the next byte, R13 the last place for sixteen of them;
// DI is the pixel, BX how many there are. R8 to R11 are the tables of green, red, blue and
// alpha, whose masks are in the frame. A pixel grows in R14.

#define FILL \
	MOVQ (SI), DX     \
	SHLXQ CX, DX, DX  \
	ORQ DX, AX        \
	MOVL $63, DX      \
	SUBQ CX, DX       \
	SHRQ $3, DX       \
	ADDQ DX, SI       \
	ORQ $56, CX

// DX becomes the entry of what is next, and R12 its bits, unless it is in a second table.
#define ENTRY(t, mask, long) \
	MOVQ AX, DX               \
	ANDQ mask, DX             \
	MOVWLZX (t)(DX*2), DX     \
	MOVL DX, R12              \
	ANDL $15, R12             \
	CMPL R12, $const_rootBits \
	JHI long

#define LONG(t, back) \
	SUBL $const_rootBits, R12 \
	MOVQ AX, R15              \
	SHRQ $const_rootBits, R15 \
	BZHIQ R12, R15, R15       \
	SHRL $4, DX               \
	ADDQ DX, R15              \
	MOVWLZX (t)(R15*2), DX    \
	MOVL DX, R12              \
	ANDL $15, R12             \
	JMP back

#define TAKE \
	SHRXQ R12, AX, AX \
	SUBQ R12, CX      \
	SHRL $4, DX

#define TABLE(first, len, t, mask) \
	MOVQ first(DX), t   \
	MOVQ len(DX), R12   \
	CMPQ R12, $256      \
	CMOVQGT R14, R12    \
	DECQ R12            \
	MOVQ R12, mask

// func literalsBMI2(r *reader, codes *group, pix *uint32, n int) int
TEXT ·literalsBMI2(SB), NOSPLIT, $32-40
	MOVQ codes+8(FP), DX
	MOVL $256, R14
	TABLE(group_green, group_green+8, R8, m0-8(SP))
	TABLE(group_red, group_red+8, R9, m1-16(SP))
	TABLE(group_blue, group_blue+8, R10, m2-24(SP))
	TABLE(group_alpha, group_alpha+8, R11, m3-32(SP))
	MOVQ r+0(FP), DX
	MOVQ reader_acc(DX), AX
	MOVQ reader_n(DX), CX
	MOVQ reader_data(DX), SI
	MOVQ (reader_data+8)(DX), R13
	LEAQ -16(SI)(R13*1), R13
	ADDQ reader_pos(DX), SI
	MOVQ pix+16(FP), DI
	MOVQ n+24(FP), BX

pixel:
	CMPQ SI, R13
	JHI done
	FILL
	ENTRY(R8, m0-8(SP), longGreen)

green:
	CMPL DX, $(16*const_literals)
	JGE done
	TAKE
	MOVL DX, R14
	SHLL $8, R14
	ENTRY(R9, m1-16(SP), longRed)

red:
	TAKE
	SHLL $16, DX
	ORL DX, R14
	ENTRY(R10, m2-24(SP), longBlue)

blue:
	TAKE
	ORL DX, R14
	CMPQ CX, $const_maxBits
	JLT refill

filled:
	ENTRY(R11, m3-32(SP), longAlpha)

alpha:
	TAKE
	SHLL $24, DX
	ORL DX, R14
	MOVL R14, (DI)
	ADDQ $4, DI
	DECQ BX
	JNZ pixel

done:
	MOVQ r+0(FP), DX
	MOVQ AX, reader_acc(DX)
	MOVQ CX, reader_n(DX)
	SUBQ reader_data(DX), SI
	MOVQ SI, reader_pos(DX)
	MOVQ n+24(FP), DX
	SUBQ BX, DX
	MOVQ DX, ret+32(FP)
	RET

refill:
	FILL
	JMP filled

longGreen:
	LONG(R8, green)

longRed:
	LONG(R9, red)

longBlue:
	LONG(R10, blue)

longAlpha:
	LONG(R11, alpha)
