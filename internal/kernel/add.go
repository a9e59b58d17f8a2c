package kernel

// Add computes dst = a + b. dst may be a or b.
func Add(dst, a, b []float32) {
	checkLen("a", a, len(dst))
	checkLen("b", b, len(dst))
	if len(dst) <= chunk {
		isa.add(dst, a, b)
		return
	}
	chunks(len(dst), func(i, j int) { isa.add(dst[i:j], a[i:j], b[i:j]) })
}

func addGo(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v + b[i]
	}
}

// Mul computes dst = a·b, elementwise. dst may be a or b.
func Mul(dst, a, b []float32) {
	checkLen("a", a, len(dst))
	checkLen("b", b, len(dst))
	if len(dst) <= chunk {
		isa.mul(dst, a, b)
		return
	}
	chunks(len(dst), func(i, j int) { isa.mul(dst[i:j], a[i:j], b[i:j]) })
}

func mulGo(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v * b[i]
	}
}

// Axpy computes dst += alpha·x.
func Axpy(dst []float32, alpha float32, x []float32) {
	checkLen("x", x, len(dst))
	chunks(len(dst), func(i, j int) { isa.axpy(dst[i:j], alpha, x[i:j]) })
}

func axpyGo(dst []float32, alpha float32, x []float32) {
	for i, v := range x {
		dst[i] += alpha * v
	}
}

// AddRows adds row, (cols), to every row of x, (rows, cols). dst may be x.
func AddRows(dst, x, row []float32, rows, cols int) {
	checkRows("dst", dst, rows, cols)
	checkRows("x", x, rows, cols)
	checkLen("row", row, cols)
	rowChunks(rows, cols, func(i int) {
		isa.add(dst[i*cols:i*cols+cols], x[i*cols:i*cols+cols], row)
	})
}
