package vision

import "encoding/binary"

// The resampling of 8-bit channels. A pixel is two int64, each holding two
// channels that are 32 bits apart, so that one multiplication serves both:
// as long as a channel's sum fits an int32, and in this fixed point it does,
// the two can be told apart again, negative or not (see narrow).

// resample scales r as Pillow does, first along rows, then along columns, with
// a rounding to bytes between, and writes RGB to out.
func (r *raster) resample(s *scratch, out window, rows, cols axis, f filter) {
	if !rows.scales() && !cols.scales() && r.mode == modeRGBA {
		same := *r
		same.mode = modeRGB // Pillow does not premultiply for a mere copy
		r = &same
	}
	firstCol, lastCol := s.set(rows, cols, f)
	s.rows.fix()
	s.cols.fix()
	s.lanes = resized(s.lanes, lastCol-firstCol)
	s.sums = resized(s.sums, cols.count)
	g := newRing(&s.ring, &s.rows, cols.count)
	first := func(row [][2]int64, y int) {
		if !cols.scales() {
			r.load(row, y, firstCol)
			return
		}
		r.load(s.lanes, y, firstCol)
		s.cols.along(row, s.lanes, firstCol)
	}
	for i := range rows.count {
		from := g.advance(&s.rows, i, first)
		sums := g.row(from)
		if rows.scales() {
			sums = s.sums
			mix(sums, g, from, s.rows.fixed[s.rows.offset[i]:s.rows.offset[i+1]])
		}
		r.store(out.row(i, cols.count), sums)
	}
}

// half is one half in the fixed point of both channels of a lane.
const half = 1<<(precision-1) + 1<<(precision-1+32)

// along computes a row of the first pass from lanes, whose first is source
// pixel origin.
func (c *coefficients) along(out, lanes [][2]int64, origin int) {
	for i := range out {
		w := c.fixed[c.offset[i]:c.offset[i+1]]
		src := lanes[c.from[i]-origin:][:len(w)]
		a, b := int64(half), int64(half)
		for j, w := range w {
			a += src[j][0] * w
			b += src[j][1] * w
		}
		out[i] = [2]int64{narrow(a), narrow(b)}
	}
}

// mix computes a row of the second pass from the rows that begin at from.
func mix(out [][2]int64, g *ring[[2]int64], from int, w []int64) {
	for i := range out {
		out[i] = [2]int64{half, half}
	}
	for len(w) >= 2 {
		r0, r1 := g.row(from)[:len(out)], g.row(from + 1)[:len(out)]
		w0, w1 := w[0], w[1]
		for i := range out {
			out[i][0] += r0[i][0]*w0 + r1[i][0]*w1
			out[i][1] += r0[i][1]*w0 + r1[i][1]*w1
		}
		from, w = from+2, w[2:]
	}
	if len(w) == 1 {
		r0, w0 := g.row(from)[:len(out)], w[0]
		for i := range out {
			out[i][0] += r0[i][0] * w0
			out[i][1] += r0[i][1] * w0
		}
	}
	for i := range out {
		out[i] = [2]int64{narrow(out[i][0]), narrow(out[i][1])}
	}
}

// narrow brings the two sums in a lane back to bytes.
func narrow(sum int64) int64 {
	low := int32(sum)
	high := int32((sum - int64(low)) >> 32)
	return int64(clip8(low>>precision)) | int64(clip8(high>>precision))<<32
}

func clip8(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31))
	}
	return uint8(v)
}

// load reads len(dst) pixels of row y from column x on.
func (r *raster) load(dst [][2]int64, y, x int) {
	size := bytesPerPixel[r.mode]
	row := r.pix[y*r.stride+x*size:][:len(dst)*size]
	switch r.mode {
	case modeRGB, modeCMYK:
		for i := range dst {
			px := int64(binary.LittleEndian.Uint32(row[4*i:]))
			dst[i] = [2]int64{px&0xff | px&0xff00<<24, px>>16&0xff | px>>24<<32}
		}
	case modeRGBA:
		for i := range dst {
			px := row[4*i : 4*i+4 : 4*i+4]
			a := uint32(px[3])
			dst[i] = [2]int64{
				int64(div255(uint32(px[0])*a)) | int64(div255(uint32(px[1])*a))<<32,
				int64(div255(uint32(px[2])*a)) | int64(a)<<32,
			}
		}
	case modeGray:
		for i, v := range row {
			dst[i] = [2]int64{int64(v) | int64(v)<<32, int64(v)}
		}
	}
}

// store writes finished pixels as opaque RGB.
func (r *raster) store(dst []uint8, lanes [][2]int64) {
	for i, l := range lanes {
		px := [4]uint8{uint8(l[0]), uint8(l[0] >> 32), uint8(l[1]), uint8(l[1] >> 32)}
		switch r.mode {
		case modeRGBA:
			if a := int(px[3]); a != 0 && a != 255 {
				for c := range 3 {
					px[c] = uint8(min(255*int(px[c])/a, 255))
				}
			}
		case modeCMYK:
			px = inkToRGB(px)
		}
		px[3] = 255
		*(*[4]uint8)(dst[4*i:]) = px
	}
}
