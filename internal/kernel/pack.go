package kernel

import "fmt"

// Packed is an op(B), k×n, in the form that the products read fastest. It is a
// copy: the matrix it was made from may be changed or dropped. It is safe for
// concurrent use.
type Packed struct {
	n, k int
	data []float32
}

// Pack packs op(B), k×n: for NN from a k×n matrix, for NT from an n×k one.
func Pack(l Layout, n, k int, b []float32, ldb int) *Packed {
	p := &Packed{n: n, k: k}
	switch l {
	case NN:
		checkMatrix("b", b, k, n, ldb)
		p.data = make([]float32, n*k)
		for i := range k {
			copy(p.data[i*n:i*n+n], b[i*ldb:])
		}
	case NT:
		checkMatrix("b", b, n, k, ldb)
		p.data = make([]float32, n*k)
		for j := range n {
			for i := range k {
				p.data[i*n+j] = b[j*ldb+i]
			}
		}
	default:
		panic(fmt.Sprintf("kernel: cannot pack layout %d, want NN or NT", l))
	}
	return p
}
