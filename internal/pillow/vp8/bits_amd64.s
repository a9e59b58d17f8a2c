//go:build amd64 && !noasm

#include "go_asm.h"
#include "textflag.h"

DATA zigzag<>+0(SB)/8, $0x0603020508040100
DATA zigzag<>+8(SB)/8, $0x0f0e0b070a0d0c09
GLOBL zigzag<>(SB), RODATA|NOPTR, $16

// The reader's value is AX, the top of BX its range, not less 1, and CX n. SI is the row of
// coefficient R9, R8 its probabilities, R10 its value, R11 the reader.

// Where the range splits by a probability in DX, which stands there then. BX becomes the
// range less 1. What a bit waits for is shortest so: a product, a difference, a shift, a
// difference, a count and a shift.
#define SPLIT \
	MOVQ DX, R12  \
	SHLQ $24, R12 \
	IMULQ BX, DX  \
	SUBQ R12, DX  \
	SHRQ $32, DX  \
	SHRL $24, BX  \
	DECL BX

// Jumps to one where the next bit is that.
#define BRANCH(prob, one) \
	MOVBLZX prob(R8), DX \
	SPLIT                \
	MOVQ AX, R12         \
	SHRQ $56, R12        \
	CMPL R12, DX         \
	JHI one

#define NORMALISE \
	LZCNTL BX, R13     \
	SHLXL R13, BX, BX  \
	SUBL $24, R13      \
	SHLXQ R13, AX, AX  \
	SUBQ R13, CX

// The state behind a 0, and behind a 1.
#define ZERO \
	LEAL 1(DX), BX \
	NORMALISE

#define ONE \
	SUBL DX, BX   \
	INCQ DX       \
	SHLQ $56, DX  \
	SUBQ DX, AX   \
	NORMALISE

// R15 becomes all ones where the next bit, whose probability is in DX, is 1, and otherwise 0.
#define NEXT \
	SPLIT             \
	MOVQ AX, R12      \
	SHRQ $56, R12     \
	MOVL DX, R15      \
	SUBL R12, R15     \
	SARL $31, R15     \
	MOVL BX, R13      \
	SUBL DX, R13      \
	LEAL 1(DX), BX    \
	MOVL BX, R12      \
	ANDL R15, R12     \
	SHLQ $56, R12     \
	SUBQ R12, AX      \
	TESTL R15, R15    \
	CMOVLNE R13, BX   \
	NORMALISE

// As in boolReader.fill, but for the last bytes.
#define FILL(short) \
	MOVQ boolReader_pos(R11), R12  \
	LEAQ 8(R12), R13               \
	CMPQ R13, (boolReader_data+8)(R11) \
	JGT short                      \
	MOVQ boolReader_data(R11), R13 \
	MOVQ (R13)(R12*1), R13         \
	BSWAPQ R13                     \
	LEAQ 8(CX), R15                \
	SHRXQ R15, R13, R13            \
	ORQ R13, AX                    \
	MOVQ $56, R13                  \
	SUBQ CX, R13                   \
	SHRQ $3, R13                   \
	ADDQ R13, R12                  \
	MOVQ R12, boolReader_pos(R11)  \
	LEAQ (CX)(R13*8), CX

// func coefficientsBMI2(b *boolReader, probs *probabilities, p *[11]uint8, i int, steps *[2]int32, out *[16]int16) (at *[11]uint8, n, state int)
TEXT ·coefficientsBMI2(SB), NOSPLIT, $0-72
	MOVQ b+0(FP), R11
	MOVQ probs+8(FP), SI
	MOVQ p+16(FP), R8
	MOVQ i+24(FP), R9
	MOVQ out+40(FP), DI
	IMUL3Q $33, R9, R12
	ADDQ R12, SI
	MOVQ boolReader_value(R11), AX
	MOVL boolReader_rng(R11), BX
	INCL BX
	SHLL $24, BX
	MOVQ boolReader_n(R11), CX

coefficient:
	CMPQ CX, $21
	JLT fillAny

any:
	BRANCH(0, some)
	ZERO
	JMP done

some:
	ONE

run:
	BRANCH(1, nonzero)
	ZERO
	INCQ R9
	ADDQ $33, SI
	MOVQ SI, R8
	CMPQ R9, $16
	JEQ done
	CMPQ CX, $14
	JGE run
	FILL(shortRun)
	JMP run

nonzero:
	ONE
	BRANCH(2, large)
	ZERO
	MOVL $1, R10
	LEAQ (33+11)(SI), R8

sign:
	// Of one in two, both states are made and one is chosen: behind the first bit ever a range
	// is less than 255, so that halves of it grow by one bit.
	MOVL BX, DX
	SHRL $24, DX
	DECL DX
	LEAL -1(DX), BX
	MOVL DX, R12
	ORL $1, R12
	ORL $1, BX
	INCL R12
	INCL BX
	SHLL $24, R12
	SHLL $24, BX
	SHRL $1, DX
	LEAQ 1(DX), R13
	SHLQ $56, R13
	MOVQ AX, R15
	SUBQ R13, R15
	MOVL R10, R13
	NEGL R13
	MOVQ AX, R14
	SHRQ $56, R14
	CMPL R14, DX
	CMOVLLS R12, BX
	CMOVQHI R15, AX
	CMOVLHI R13, R10
	ADDQ AX, AX
	DECQ CX
	MOVQ steps+32(FP), R12
	MOVL 4(R12), R13
	TESTQ R9, R9
	CMOVLEQ (R12), R13
	IMULL R13, R10
	LEAQ zigzag<>(SB), R13
	MOVBLZX (R13)(R9*1), R12
	MOVW R10, (DI)(R12*2)
	INCQ R9
	ADDQ $33, SI
	CMPQ R9, $16
	JLT coefficient

done:
	MOVQ $const_stateDone, DX

return:
	MOVQ AX, boolReader_value(R11)
	SHRL $24, BX
	DECL BX
	MOVL BX, boolReader_rng(R11)
	MOVQ CX, boolReader_n(R11)
	MOVQ R8, at+48(FP)
	MOVQ R9, n+56(FP)
	MOVQ DX, state+64(FP)
	RET

fillAny:
	FILL(shortAny)
	JMP any

large:
	ONE
	CMPQ CX, $35
	JGE two
	FILL(shortLarge)

two:
	BRANCH(3, five)
	ZERO
	BRANCH(4, three)
	ZERO
	MOVL $2, R10
	LEAQ (33+22)(SI), R8
	JMP sign

three:
	ONE
	MOVBLZX 5(R8), DX
	NEXT
	MOVL $3, R10
	SUBL R15, R10
	LEAQ (33+22)(SI), R8
	JMP sign

five:
	ONE
	BRANCH(6, eleven)
	ZERO
	BRANCH(7, seven)
	ZERO
	MOVL $159, DX
	NEXT
	MOVL $5, R10
	SUBL R15, R10
	LEAQ (33+22)(SI), R8
	JMP sign

seven:
	ONE
	MOVL $165, DX
	NEXT
	MOVL $7, R10
	ADDL R15, R15
	SUBL R15, R10
	MOVL $145, DX
	NEXT
	SUBL R15, R10
	LEAQ (33+22)(SI), R8
	JMP sign

eleven:
	ONE
	MOVQ $const_stateLarger, DX
	JMP return

shortAny:
	MOVQ $const_stateAny, DX
	JMP return

shortRun:
	MOVQ $const_stateRun, DX
	JMP return

shortLarge:
	MOVQ $const_stateLarge, DX
	JMP return

// func leadingZeroes(v uint32) int
TEXT ·leadingZeroes(SB), NOSPLIT, $0-16
	MOVL v+0(FP), AX
	LZCNTL AX, AX
	MOVQ AX, ret+8(FP)
	RET
