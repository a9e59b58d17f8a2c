package kernel

import "fmt"

// Layout says which operand of a matrix product is stored transposed.
// C (m×n) = alpha·op(A)·op(B) + beta·C, where op(A) is m×k and op(B) k×n;
// all matrices are row-major.
type Layout uint8

const (
	NN Layout = iota // A is m×k, B is k×n
	NT               // A is m×k, B is n×k: a linear layer's forward pass
	TN               // A is k×m, B is k×n: a linear layer's weight gradient
)

// kBlock is the length of one chain of additions over k; see the package
// comment for the order of every sum.
const kBlock = 256

// Gemm computes C = alpha·op(A)·op(B) + beta·C, with beta 0 or 1, on all cores.
// With beta 0, C is not read. C must not overlap A or B.
func Gemm(l Layout, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm(l, m, n, k, a, lda, b, ldb, beta, c, ldc)
	p := Pack(l.ofB(), n, k, b, ldb)
	gemm(l == TN, m, alpha, a, lda, p, nil, beta, c, ldc, Parallel)
}

// GemmSerial is [Gemm] on the caller's goroutine alone, for small matrices
// inside [Parallel]. Its results are Gemm's, bit for bit.
func GemmSerial(l Layout, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkGemm(l, m, n, k, a, lda, b, ldb, beta, c, ldc)
	p := Pack(l.ofB(), n, k, b, ldb)
	gemm(l == TN, m, alpha, a, lda, p, nil, beta, c, ldc, serial)
}

// GemmBias computes C = op(A)·op(B) + bias, a linear layer's forward pass. The
// bias has n elements; nil is none.
func GemmBias(l Layout, m, n, k int, a []float32, lda int, b []float32, ldb int, bias []float32, c []float32, ldc int) {
	checkGemm(l, m, n, k, a, lda, b, ldb, 0, c, ldc)
	checkBias(bias, n)
	p := Pack(l.ofB(), n, k, b, ldb)
	gemm(l == TN, m, 1, a, lda, p, bias, 0, c, ldc, Parallel)
}

// GemmPacked computes C = alpha·A·op(B) + bias + beta·C for an A of m rows, not
// transposed, and a packed B. The bias has n elements and is added once; nil is
// none.
func GemmPacked(m int, alpha float32, a []float32, lda int, b *Packed, bias []float32, beta float32, c []float32, ldc int) {
	checkMatrix("a", a, m, b.k, lda)
	checkMatrix("c", c, m, b.n, ldc)
	checkBeta(beta)
	checkBias(bias, b.n)
	gemm(false, m, alpha, a, lda, b, bias, beta, c, ldc, Parallel)
}

func serial(n int, f func(int)) {
	for i := range n {
		f(i)
	}
}

// gemm is every product above.
func gemm(aT bool, m int, alpha float32, a []float32, lda int, b *Packed, bias []float32, beta float32, c []float32, ldc int, parallel func(int, func(int))) {
	parallel(m, func(i int) {
		row := c[i*ldc : i*ldc+b.n]
		if beta == 0 {
			clear(row)
		}
		if bias != nil {
			for j := range row {
				row[j] += bias[j]
			}
		}
		sum := make([]float32, b.n)
		for k0 := 0; k0 < b.k; k0 += kBlock {
			clear(sum)
			for k := k0; k < min(b.k, k0+kBlock); k++ {
				x := a[i*lda*b2i(!aT)+k*b2i(!aT)+(k*lda+i)*b2i(aT)]
				for j, y := range b.data[k*b.n : k*b.n+b.n] {
					sum[j] += x * y
				}
			}
			for j := range row {
				row[j] += alpha * sum[j]
			}
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ofB is the layout that Pack wants for the B of l.
func (l Layout) ofB() Layout {
	if l == NT {
		return NT
	}
	return NN
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

// checkMatrix panics unless x holds rows×cols elements with rows ld apart.
func checkMatrix(name string, x []float32, rows, cols, ld int) {
	if rows < 0 || cols < 0 || ld < cols {
		panic(fmt.Sprintf("kernel: %s is %d×%d with rows %d apart", name, rows, cols, ld))
	}
	if rows > 0 && cols > 0 && (len(x) < cols || (len(x)-cols)/max(ld, 1) < rows-1) {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d×%d with rows %d apart", name, len(x), rows, cols, ld))
	}
}

func checkBeta(beta float32) {
	if beta != 0 && beta != 1 {
		panic(fmt.Sprintf("kernel: beta %v, want 0 or 1", beta))
	}
}

func checkBias(bias []float32, n int) {
	if bias != nil {
		checkLen("bias", bias, n)
	}
}

// checkLen panics unless x has exactly n elements.
func checkLen(name string, x []float32, n int) {
	if len(x) != n {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d", name, len(x), n))
	}
}
