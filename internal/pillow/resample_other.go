package pillow

import "encoding/binary"

// nearest scales an image as Pillow's affine transform does: the source position is a
// running sum, with its rounding. What lies beyond the border is index 0, or black.
func (r *raster) nearest(s *scratch, out window, rows, cols axis) {
	s.xs = resized(s.xs, cols.count+rows.count)
	xs, ys := s.xs[:cols.count], s.xs[cols.count:]
	cols.positions(xs)
	rows.positions(ys)
	if r.mode != modeIndexed {
		r.convertRGB()
	}
	size := bytesPerPixel[r.mode]
	for i, y := range ys {
		dst := out.row(i, cols.count)
		for j, x := range xs {
			px := []uint8{0, 0, 0}
			if x < r.width && y < r.height {
				px = r.pix[y*r.stride+size*x:][:size]
			}
			c := [3]uint8{px[0], px[0], px[0]}
			switch r.mode {
			case modeIndexed:
				c = r.palette[px[0]]
			case modeRGB:
				c = [3]uint8(px[:3])
			}
			*(*[4]uint8)(dst[4*j:]) = [4]uint8{c[0], c[1], c[2], 255}
		}
	}
}

// positions fills xs with the source pixels of those seen.
func (a axis) positions(xs []int) {
	step := float64(a.in) / float64(a.scaled)
	x := float64(step * 0.5)
	for i := range a.first + a.count {
		if i >= a.first {
			xs[i-a.first] = int(x)
		}
		x += step
	}
}

// resampleWide scales grey of more than bytes as Pillow does: in float64, with
// rounding to the kind of value between the passes. Then it clips to bytes.
func (r *raster) resampleWide(s *scratch, out window, rows, cols axis, f Fit) {
	s.set(rows, cols, f.Filter)
	if f.columnsFirst(rows, cols) {
		g := newRing(&s.wideRing, &s.rows, r.width)
		s.wide = resized(s.wide, r.width+cols.count)
		mixed, row := s.wide[:r.width], s.wide[r.width:]
		for i := range rows.count {
			g.advance(&s.rows, i, r.values)
			r.mixWide(mixed, g, &s.rows, i)
			r.alongWide(row, mixed, &s.cols)
			storeWide(out.row(i, cols.count), row)
		}
		return
	}
	g := newRing(&s.wideRing, &s.rows, cols.count)
	s.wide = resized(s.wide, r.width+cols.count)
	source, row := s.wide[:r.width], s.wide[r.width:]
	first := func(row []float64, y int) {
		r.values(source, y)
		r.alongWide(row, source, &s.cols)
	}
	for i := range rows.count {
		g.advance(&s.rows, i, first)
		r.mixWide(row, g, &s.rows, i)
		storeWide(out.row(i, cols.count), row)
	}
}

// alongWide scales a row.
func (r *raster) alongWide(dst, src []float64, cols *coefficients) {
	for i := range dst {
		sum := 0.0
		for j, w := range cols.weights[cols.offset[i]:cols.offset[i+1]] {
			sum += float64(src[cols.from[i]+j] * w)
		}
		dst[i] = r.round(sum)
	}
}

// mixWide makes the i-th row of those in the ring.
func (r *raster) mixWide(dst []float64, g *ring[float64], rows *coefficients, i int) {
	w := rows.weights[rows.offset[i]:rows.offset[i+1]]
	for x := range dst {
		sum := 0.0
		for j, w := range w {
			sum += float64(g.row(rows.from[i] + j)[x] * w)
		}
		dst[x] = r.round(sum)
	}
}

func storeWide(dst []uint8, row []float64) {
	for x, v := range row {
		v := clipValue(v)
		*(*[4]uint8)(dst[4*x:]) = [4]uint8{v, v, v, 255}
	}
}

// wide16 reads rows of 16-bit grey.
func (r *raster) wide16(dst []float64, y int) {
	src := r.pix[y*r.stride:][:2*r.width]
	for i := range dst {
		dst[i] = float64(binary.BigEndian.Uint16(src[2*i:]))
	}
}
