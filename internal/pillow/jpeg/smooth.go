package jpeg

// Of a progressive file that ends before its last scans, libjpeg-turbo estimates
// the lowest AC coefficients from the DC coefficients of 5×5 blocks: what annex K.8
// does with 3×3. Where no AC coefficient has come at all, the kernels are others,
// and the DC coefficient is changed, too.

// kernel weighs the DC coefficients of 5×5 blocks, in rows.
type kernel [25]int64

// smoothing holds a kernel for each of the first coefficients in the file's
// order: those for blocks with some AC coefficients, and those for blocks with
// none.
var smoothing = [knownCoefs]struct{ some, none kernel }{
	{none: kernel{
		-2, -6, -8, -6, -2,
		-6, 6, 42, 6, -6,
		-8, 42, 152, 42, -8,
		-6, 6, 42, 6, -6,
		-2, -6, -8, -6, -2,
	}},
	{
		kernel{10: -7, 50, 0, -50, 7},
		kernel{
			-1, -1, 0, 1, 1,
			-3, 13, 0, -13, 3,
			-3, 38, 0, -38, 3,
			-3, 13, 0, -13, 3,
			-1, -1, 0, 1, 1,
		},
	}, {
		kernel{2: -7, 7: 50, 17: -50, 22: 7},
		kernel{
			-1, -3, -3, -3, -1,
			-1, 13, 38, 13, -1,
			0, 0, 0, 0, 0,
			1, -13, -38, -13, 1,
			1, 3, 3, 3, 1,
		},
	}, {
		kernel{2: -1, 7: 13, 12: -24, 17: 13, 22: -1},
		kernel{2: 1, 6: 2, 7, 2, 11: -5, -14, -5, 16: 2, 7, 2, 22: 1},
	}, {
		kernel{1: -1, 3: 1, 5: -1, 10, 0, -10, 1, 15: 1, -10, 0, 10, -1, 21: 1, 23: -1},
		kernel{0: -1, 4: 1, 6: 9, 0, -9, 16: -9, 0, 9, 20: 1, 24: -1},
	}, {
		kernel{10: -1, 13, -24, 13, -1},
		kernel{6: 2, -5, 2, 10: 1, 7, -14, 7, 1, 16: 2, -5, 2},
	},
	{none: kernel{6: 1, 0, -1, 11: 2, 0, -2, 16: 1, 0, -1}},
	{none: kernel{6: 1, -3, 1, 16: -1, 3, -1}},
	{none: kernel{6: 1, 0, -1, 11: -3, 0, 3, 16: 1, 0, -1}},
	{none: kernel{6: 1, 2, 1, 16: -1, -2, -1}},
}

// smooths reports whether libjpeg would smooth the blocks.
func (d *decoder) smooths() bool {
	useful := false
	for _, c := range d.comps {
		if c.quant == nil || c.bits[0] < 0 {
			return false
		}
		for k := range knownCoefs {
			if c.quant[k] == 0 {
				return false
			}
			useful = useful || k > 0 && c.bits[k] != 0
		}
	}
	return useful
}

// reconstructSmooth is reconstruct with missing coefficients estimated. What is
// missing differs below the last row that the last scan has reached.
func (d *decoder) reconstructSmooth(c *component) {
	blocks, columns := c.rows, c.columns
	var before [knownCoefs]int8
	for k := range before {
		if before[k] = c.before[k]; d.scans == 1 {
			before[k] = -1
		}
	}
	for y := range blocks {
		known := (*[knownCoefs]int8)(c.bits[:])
		if y/c.v > d.lastGood {
			known = &before
		}
		some := false
		for _, bits := range known[1:] {
			some = some || bits != -1
		}
		rows := c.around(y, d.mcusY)
		for x := range columns {
			in := c.coefs[64*(y*c.across+x):][:64]
			block := quantised(in, c.quant)
			var dc [25]int64
			for i, row := range rows {
				for j := range 5 {
					dc[5*i+j] = int64(row[64*min(max(x+j-2, 0), columns-1)])
				}
			}
			c.estimate(&block, in, known, &dc, some)
			c.put(x, y, &block, isZero(block[1:]))
		}
	}
}

// around returns the rows of blocks from two above row y to two below it; those
// beyond the image are its last. What libjpeg takes for the image's last row
// depends on the row of units.
func (c *component) around(y, units int) (rows [5][]int16) {
	unit := y / c.v
	height := c.v // rows of blocks in this row of units
	if unit == units-1 {
		if part := c.rows % c.v; part > 0 {
			height = part
		}
	}
	place, last := unit*height+y%c.v, height*units-1
	row := func(y int) []int16 { return c.coefs[64*y*c.across:][:64*c.across] }
	at := [5]int{y, y, y, y, y}
	if place > 0 {
		at[0], at[1] = y-1, y-1
	}
	if place > 1 {
		at[0] = y - 2
	}
	if place < last {
		at[3], at[4] = y+1, y+1
	}
	if place < last-1 {
		at[4] = y + 2
	}
	for i := range rows {
		rows[i] = row(at[i])
	}
	return rows
}

// estimate sets coefficients of a block that are zero and not known to the last
// bit.
func (c *component) estimate(block *[64]int16, in []int16, known *[knownCoefs]int8, dc *[25]int64, some bool) {
	for k := range knownCoefs {
		w := &smoothing[k].none
		if some {
			w = &smoothing[k].some
		}
		if k == 0 && some || k > 0 && (known[k] == 0 || in[zigzag[k]] != 0) || *w == (kernel{}) {
			continue
		}
		sum := int64(0)
		for i, v := range dc {
			sum += w[i] * v
		}
		q := int64(c.quant[k])
		sum *= int64(c.quant[0])
		most := int64(1) << 62
		if k > 0 && known[k] > 0 {
			most = 1<<known[k] - 1
		}
		pred := min((q<<7+max(sum, -sum))/(q<<8), most)
		if sum < 0 {
			pred = -pred
		}
		block[zigzag[k]] = int16(int32(int16(pred)) * int32(q))
	}
}
