package kernel

import (
	"fmt"
	"runtime"
)

// Layout says which operand of a matrix product is stored transposed.
// C (m×n) = alpha·op(A)·op(B) + beta·C, where op(A) is m×k and op(B) k×n;
// all matrices are row-major.
type Layout uint8

const (
	NN Layout = iota // A is m×k, B is k×n
	NT               // A is m×k, B is n×k: a linear layer's forward pass
	TN               // A is k×m, B is k×n: a linear layer's weight gradient
)

// Gemm computes C = alpha·op(A)·op(B) + beta·C, with beta 0 or 1, on all cores.
// With beta 0, C is not read. C must not overlap A or B.
func Gemm(l Layout, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm(l, m, n, k, a, lda, b, ldb, beta, c, ldc)
	p := product{aT: l == TN, bT: l == NT, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: c, ldc: ldc}
	p.run()
}

// GemmSerial is [Gemm] on the caller's goroutine alone, for small matrices
// inside [parallel.For]. Its results are Gemm's, bit for bit.
func GemmSerial(l Layout, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm(l, m, n, k, a, lda, b, ldb, beta, c, ldc)
	p := product{aT: l == TN, bT: l == NT, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: c, ldc: ldc}
	p.runSerial()
}

// GemmBias computes C = op(A)·op(B) + bias, a linear layer's forward pass. The
// bias has n elements; nil is none.
func GemmBias(l Layout, m, n, k int, a []float32, lda int, b []float32, ldb int, bias []float32, c []float32, ldc int) {
	GemmBiasThen(l, m, n, k, a, lda, b, ldb, bias, c, ldc, nil)
}

// Then is told of a block of C as soon as no more is added to it, while it is in the cache of the
// core that computed it: so many rows from row on, and columns from col on. It may change
// them. It is called for each element once, and on several goroutines. Nil does nothing.
type Then func(row, rows, col, cols int)

// GemmBiasThen is [GemmBias], and what comes next of each block of C.
func GemmBiasThen(l Layout, m, n, k int, a []float32, lda int, b []float32, ldb int, bias []float32, c []float32, ldc int, then Then) {
	checkGemm(l, m, n, k, a, lda, b, ldb, 0, c, ldc)
	checkBias(bias, n)
	p := product{aT: l == TN, bT: l == NT, m: m, n: n, k: k, alpha: 1, a: a, lda: lda, b: b, ldb: ldb, bias: bias, c: c, ldc: ldc, then: then}
	p.run()
}

// GemmTNSum computes C = Aᵀ·B, for an A of (k, m), and sum = [ColSum] of A, (m): a linear layer's
// gradients by its weight and bias. A is read from memory once for both.
func GemmTNSum(m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, sum []float32) {
	checkGemm(TN, m, n, k, a, lda, b, ldb, 0, c, ldc)
	checkLen("sum", sum, m)
	clear(sum)
	p := product{aT: true, m: m, n: n, k: k, alpha: 1, a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc, sum: sum}
	p.run()
}

// GemmPacked computes C = alpha·A·op(B) + bias + beta·C for an A of m rows, not
// transposed, and a packed B. The bias has n elements and is added once; nil is
// none. Its results are Gemm's, bit for bit.
func GemmPacked(m int, alpha float32, a []float32, lda int, b *Packed, bias []float32, beta float32, c []float32, ldc int) {
	GemmPackedThen(m, alpha, a, lda, b, bias, beta, c, ldc, nil)
}

// GemmPackedThen is [GemmPacked], and what comes next of each block of C.
func GemmPackedThen(m int, alpha float32, a []float32, lda int, b *Packed, bias []float32, beta float32, c []float32, ldc int, then Then) {
	checkMatrix("a", a, m, b.k, lda)
	checkMatrix("c", c, m, b.n, ldc)
	checkBeta(beta)
	checkBias(bias, b.n)
	p := product{m: m, n: b.n, k: b.k, alpha: alpha, a: a, lda: lda, packed: b, bias: bias, beta: beta, c: c, ldc: ldc, then: then}
	p.run()
	runtime.KeepAlive(b)
}

func checkGemm(l Layout, m, n, k int, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if l > TN {
		panic(fmt.Sprintf("kernel: layout %d, want NN, NT or TN", l))
	}
	if l == TN {
		checkMatrix("a", a, k, m, lda)
	} else {
		checkMatrix("a", a, m, k, lda)
	}
	if l == NT {
		checkMatrix("b", b, n, k, ldb)
	} else {
		checkMatrix("b", b, k, n, ldb)
	}
	checkMatrix("c", c, m, n, ldc)
	checkBeta(beta)
}
