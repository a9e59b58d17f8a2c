package kernel

// rowBlock is the number of rows that are added up before their sum joins the
// total, so that the error grows with rowBlock + rows/rowBlock, not with rows.
const rowBlock = 64

// ColumnRows is rowBlock, as Chain is kBlock.
const ColumnRows = rowBlock

// ColSum computes dst[j] = Σ_i x[i,j] for an x of (rows, cols). Rows are added in
// ascending order, in blocks.
func ColSum(dst, x []float32, rows, cols int) {
	checkLen("dst", dst, cols)
	checkRows("x", x, rows, cols)
	strips(cols, func(j0, j1 int) {
		clear(dst[j0:j1])
		for i := 0; i < rows; i += rowBlock {
			isa.addColumns(dst[j0:j1], x[i*cols+j0:], min(rowBlock, rows-i), cols)
		}
	})
}

// addColumnsGo computes dst[j] += Σ_i x[i·ld+j] over a block of rows.
func addColumnsGo(dst, x []float32, rows, ld int) {
	for j := range dst {
		var sum float32
		for i := range rows {
			sum += x[i*ld+j]
		}
		dst[j] += sum
	}
}
