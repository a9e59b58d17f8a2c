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
func (r *raster) resampleWide(s *scratch, out window, rows, cols axis, f Filter) {
	s.set(rows, cols, f)
	s.wide = resized(s.wide, r.width)
	g := newRing(&s.wideRing, &s.rows, cols.count)
	first := func(row []float64, y int) {
		r.values(s.wide, y)
		for i := range row {
			sum := 0.0
			for j, w := range s.cols.weights[s.cols.offset[i]:s.cols.offset[i+1]] {
				sum += float64(s.wide[s.cols.from[i]+j] * w)
			}
			row[i] = r.round(sum)
		}
	}
	for i := range rows.count {
		from := g.advance(&s.rows, i, first)
		w := s.rows.weights[s.rows.offset[i]:s.rows.offset[i+1]]
		dst := out.row(i, cols.count)
		for x := range cols.count {
			sum := 0.0
			for j, w := range w {
				sum += float64(g.row(from + j)[x] * w)
			}
			v := clipValue(r.round(sum))
			*(*[4]uint8)(dst[4*x:]) = [4]uint8{v, v, v, 255}
		}
	}
}

// wide16 reads rows of 16-bit grey.
func (r *raster) wide16(dst []float64, y int) {
	src := r.pix[y*r.stride:][:2*r.width]
	for i := range dst {
		dst[i] = float64(binary.BigEndian.Uint16(src[2*i:]))
	}
}
