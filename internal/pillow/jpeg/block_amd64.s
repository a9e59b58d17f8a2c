//go:build amd64 && !noasm

#include "go_asm.h"
#include "textflag.h"

// AX is the reader's acc, CX its n, SI the next byte, R8 the last place for 8 of them. R9 are
// the pairs, R10 the component, DI the block, R12 the zigzag, BX the coefficient that is next.

// A coefficient of the pair in DX: its value times the step, at its place.
#define PUT(place, value) \
	MOVBLZX place(DX), R14                   \
	MOVWLSX value(DX), R13                   \
	ADDQ BX, R14                             \
	IMULL component_steps(R10)(R14*4), R13   \
	MOVBLZX (R12)(R14*1), R14                \
	MOVW R13, (DI)(R14*2)

// One look: two coefficients, of which either may be a 0 that changes nothing. What the next
// look waits for is a shift, a load and a shift.
#define LOOK \
	MOVQ AX, DX                   \
	SHRQ $(64-const_pairBits), DX \
	LEAQ (R9)(DX*8), DX           \
	MOVBLZX pair_bits(DX), R13    \
	MOVBLZX pair_ahead(DX), R15   \
	ADDQ BX, R15                  \
	TESTB $64, R15                \
	JNZ single                    \
	SHLXQ R13, AX, AX             \
	SUBQ R13, CX                  \
	PUT(pair_place+0, pair_value+0) \
	PUT(pair_place+1, pair_value+2) \
	MOVQ R15, BX                  \
	CMPQ R15, $const_ended        \
	JGE done

// Takes a code of table t, whose symbol will be in DX.
#define SYMBOL(t, long) \
	MOVQ AX, DX                    \
	SHRQ $(64-const_lookBits), DX  \
	MOVWLZX huffman_look(t)(DX*2), DX \
	TESTL DX, DX                   \
	JZ long                        \
	SHLXQ DX, AX, AX               \
	MOVBLZX DX, R13                \
	SUBQ R13, CX                   \
	SHRL $8, DX

// R15 becomes the value of R13 bits, at least 1, which are taken.
#define VALUE \
	MOVQ R13, R14       \
	NEGQ R14            \
	MOVQ $-1, R11       \
	SHRXQ R14, AX, R15  \
	SHRXQ R14, R11, R14 \
	MOVQ AX, R11        \
	SARQ $63, R11       \
	ANDNQ R14, R11, R11 \
	SUBQ R11, R15       \ // less 1<<n − 1 where the first bit is 0
	SHLXQ R13, AX, AX   \
	SUBQ R13, CX

// func blockBMI2(b *bitReader, c *component, out *[64]int16, k int) int
TEXT ·blockBMI2(SB), NOSPLIT, $0-40
	MOVQ b+0(FP), R11
	MOVQ c+8(FP), R10
	MOVQ out+16(FP), DI
	MOVQ k+24(FP), BX
	MOVQ bitReader_acc(R11), AX
	MOVQ bitReader_n(R11), CX
	MOVQ bitReader_data(R11), SI
	MOVQ (bitReader_data+8)(R11), R8
	LEAQ -8(SI)(R8*1), R8
	ADDQ bitReader_pos(R11), SI
	CMPB bitReader_marker(R11), $0
	JEQ open
	XORL R8, R8 // nothing is read behind a marker

open:
	LEAQ ·zigzag(SB), R12
	MOVQ component_ac(R10), R9
	MOVQ huffman_pairs(R9), R9
	MOVQ $-1, R13
	VMOVQ R13, X15
	TESTQ BX, BX
	JNZ single // CX may be 64, which is too much below

	MOVQ component_dc(R10), R11
	SYMBOL(R11, stop)
	XORL R15, R15
	MOVL DX, R13
	TESTL R13, R13
	JZ noDC
	VALUE

noDC:
	ADDL component_pred(R10), R15
	MOVL R15, component_pred(R10)
	IMULL component_steps(R10), R15
	MOVW R15, (DI)
	INCQ BX

	// As in refill, but not for the last bytes, and one 0xff at a time.
next:
	CMPQ SI, R8
	JHI last
	MOVQ (SI), R13
	VMOVQ R13, X0
	VPCMPEQB X15, X0, X0
	BSWAPQ R13
	MOVL $63, R15
	SUBL CX, R15
	SHRL $3, R15 // bytes to be taken
	VPMOVMSKB X0, R14
	BZHIL R15, R14, R14
	TESTL R14, R14
	JNZ stuffed
	SHRXQ CX, R13, R13
	ORQ R13, AX
	ADDQ R15, SI
	ORQ $56, CX

	LOOK
	LOOK
	LOOK
	LOOK
	LOOK
	JMP next

stuffed:
	TZCNTL R14, R14
	CMPB 1(SI)(R14*1), $0
	JNE last
	LEAQ 2(SI)(R14*1), SI
	LEAL 8(R14*8), R14
	MOVQ $-1, R15
	SHRXQ R14, R15, R15
	ANDNQ R13, R15, R13 // the bytes up to it
	SHRXQ CX, R13, R13
	ORQ R13, AX
	ADDQ R14, CX
	JMP next

	// One code, where the pairs have none, or lead out of the block.
last:
single:
	CMPQ CX, $32
	JLT stop
	MOVQ component_ac(R10), R11
	SYMBOL(R11, long)

symbol:
	MOVL DX, R13
	ANDL $15, R13
	JZ zeroes
	VALUE
	SHRL $4, DX
	ADDQ DX, BX
	IMULL component_steps(R10)(BX*4), R15
	MOVBLZX (R12)(BX*1), DX
	MOVW R15, (DI)(DX*2)
	INCQ BX
	CMPQ BX, $64
	JLT next
	JMP done

zeroes:
	CMPL DX, $0xf0
	JNE end
	ADDQ $16, BX
	CMPQ BX, $64
	JLT next
	JMP done

	// As in longSymbol.
long:
	MOVQ AX, R13
	SHRQ $48, R13
	MOVL $(const_lookBits+1), DX

longer:
	CMPL R13, huffman_last(R11)(DX*4)
	JLE found
	INCL DX
	CMPL DX, $16
	JLE longer
	SHLQ $17, AX
	SUBQ $17, CX

end:
	ADDQ $const_ended, BX

done:
	MOVQ b+0(FP), R11
	MOVQ AX, bitReader_acc(R11)
	MOVQ CX, bitReader_n(R11)
	SUBQ bitReader_data(R11), SI
	MOVQ SI, bitReader_pos(R11)
	MOVQ BX, ret+32(FP)
	RET

found:
	SHLXQ DX, AX, AX
	SUBQ DX, CX
	MOVL $16, R14
	SUBL DX, R14
	SHRXL R14, R13, R13
	ADDL huffman_delta(R11)(DX*4), R13
	MOVQ huffman_symbols(R11), R14
	MOVBLZX (R14)(R13*1), DX
	JMP symbol

stop:
	ADDQ $const_stopped, BX
	JMP done
