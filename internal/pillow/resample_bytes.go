package pillow

import "encoding/binary"

// The resampling of 8-bit channels, in pixels of 4 bytes whatever they mean.

// precision is of Pillow's fixed point for 8-bit channels: 32 bits less 8 for
// the value and 2 for the filter's overshoot.
const (
	precision = 32 - 8 - 2
	half      = 1 << (precision - 1)
)

// resample scales r as Pillow does, first along rows, then along columns, with
// a rounding to bytes between, and writes RGB, or RGBA where out keeps alpha.
func (r *raster) resample(s *scratch, out window, rows, cols axis, f Filter) {
	if !rows.scales() && !cols.scales() && r.mode == modeRGBA {
		same := *r
		same.mode = modeRGB // Pillow does not premultiply for a mere copy
		r = &same
	}
	firstCol, lastCol := s.set(rows, cols, f)
	s.fixed = s.rows.fixed(s.fixed[:0])
	s.spans.set(&s.cols, firstCol, lastCol)
	g := newRing(&s.ring, &s.rows, (4*cols.count+mixStep-1)&^(mixStep-1))
	s.mixed = resized(s.mixed, g.width)
	first := func(row []uint8, y int) {
		src := r.bytes(s, y, firstCol, lastCol)
		if cols.scales() {
			s.spans.along(row, src)
		} else {
			copy(row, src)
		}
	}
	for i := range rows.count {
		from := g.advance(&s.rows, i, first)
		mixed := g.row(from)
		if rows.scales() {
			w := s.fixed[s.rows.offset[i]:s.rows.offset[i+1]]
			s.taps = s.taps[:0]
			for j := range w {
				s.taps = append(s.taps, g.row(from+j))
			}
			mixed = s.mixed
			mix(mixed, s.taps, w)
		}
		r.store(out.row(i, cols.count), mixed, out.alpha)
	}
}

// columnsFirst reports whether Pillow 13 scales along columns first: where the image gets
// lower, and by more than twice as many rows as it gets narrower by columns.
func (f Fit) columnsFirst(rows, cols axis) bool {
	lower, narrower := rows.in-rows.scaled, cols.in-cols.scaled
	return f.Pillow13 && cols.scales() && lower > 0 && lower > 2*narrower
}

// resampleColumns is resample with the passes the other way round.
func (r *raster) resampleColumns(s *scratch, out window, rows, cols axis, f Filter) {
	firstCol, lastCol := s.set(rows, cols, f)
	s.fixed = s.rows.fixed(s.fixed[:0])
	s.spans.set(&s.cols, firstCol, lastCol)
	width := lastCol - firstCol + 1 // with the pixel that spans may reach beyond the last
	g := newRing(&s.ring, &s.rows, (4*width+mixStep-1)&^(mixStep-1))
	s.mixed, s.across = resized(s.mixed, g.width), resized(s.across, 4*cols.count)
	first := func(row []uint8, y int) { copy(row, r.bytes(s, y, firstCol, lastCol)) }
	for i := range rows.count {
		from := g.advance(&s.rows, i, first)
		w := s.fixed[s.rows.offset[i]:s.rows.offset[i+1]]
		s.taps = s.taps[:0]
		for j := range w {
			s.taps = append(s.taps, g.row(from+j))
		}
		mix(s.mixed, s.taps, w)
		s.spans.along(s.across, s.mixed)
		r.store(out.row(i, cols.count), s.across, out.alpha)
	}
}

// bytes returns columns from to to of row y, 4 bytes a pixel, premultiplied
// where there is alpha, and followed by a pixel more where spans want it.
func (r *raster) bytes(s *scratch, y, from, to int) []uint8 {
	if r.line != nil {
		s.row = resized(s.row, 4*(to-from+1))
		r.line(s.row, y, from, to)
		return s.row
	}
	size := bytesPerPixel[r.mode]
	src := r.pix[y*r.stride:][size*from : size*to]
	if size == 4 && r.mode != modeRGBA && !s.spans.beyond {
		return src
	}
	s.row = resized(s.row, 4*(to-from+1))
	switch r.mode {
	case modeGray:
		for i, v := range src {
			binary.LittleEndian.PutUint32(s.row[4*i:], uint32(v)*0x010101)
		}
	case modeRGBA:
		for i := 0; i+4 <= len(src); i += 4 {
			px, a := s.row[i:i+4:i+4], uint32(src[i+3])
			px[0] = div255(uint32(src[i]) * a)
			px[1] = div255(uint32(src[i+1]) * a)
			px[2] = div255(uint32(src[i+2]) * a)
			px[3] = uint8(a)
		}
	default:
		copy(s.row, src)
	}
	return s.row
}

// store writes finished pixels as RGB, with their alpha or opaque.
func (r *raster) store(dst, pixels []uint8, alpha bool) {
	var finish func(px [4]uint8) [4]uint8
	switch r.mode {
	case modeRGBA:
		finish = divideByAlpha
	case modeCMYK:
		finish = inkToRGB
	case modeLAB, modeYCC:
		finish = r.toRGB
	default:
		for i := 0; i+4 <= len(dst); i += 4 {
			binary.LittleEndian.PutUint32(dst[i:], binary.LittleEndian.Uint32(pixels[i:])|0xff<<24)
		}
		return
	}
	for i := 0; i+4 <= len(dst); i += 4 {
		px := finish([4]uint8(pixels[i:]))
		if !alpha {
			px[3] = 255
		}
		copy(dst[i:], px[:])
	}
}

// spans holds the weights of the first pass: for each pixel of the result an
// even number of them, each four times, so that a vector of eight fits two
// pixels of four channels.
type spans struct {
	at      []span
	weights []int32
	beyond  bool // the last pair of a row reaches one pixel behind it
}

type span struct{ from, pairs int32 }

// set prepares c for rows of the source's columns first to last.
func (s *spans) set(c *coefficients, first, last int) {
	s.at, s.weights, s.beyond = s.at[:0], s.weights[:0], false
	width := last - first
	for i := range c.from {
		from, to := c.span(i)
		w := c.weights[c.offset[i]:c.offset[i+1]]
		from, to = from-first, to-first
		switch odd := (to-from)%2 == 1; {
		case odd && from > 0:
			from--
			s.weights = append(s.weights, 0, 0, 0, 0)
		case odd:
			to++
			s.beyond = s.beyond || to > width
		}
		for _, w := range w {
			f := fixed(w)
			s.weights = append(s.weights, f, f, f, f)
		}
		if len(s.weights)%8 != 0 {
			s.weights = append(s.weights, 0, 0, 0, 0)
		}
		s.at = append(s.at, span{int32(from), int32((to - from) / 2)})
	}
}

// along computes a row of the first pass from a row of the source.
func (s *spans) along(dst, src []uint8) {
	last := s.at[len(s.at)-1]
	_ = src[4*(last.from+2*last.pairs)-1]
	_ = dst[4*len(s.at)-1]
	if hasAVX2 {
		alongAVX2(&dst[0], &src[0], &s.at[0], &s.weights[0], len(s.at))
		return
	}
	s.alongGo(dst, src)
}

// alongGo is what along computes.
func (s *spans) alongGo(dst, src []uint8) {
	weights := s.weights
	for i, p := range s.at {
		var r, g, b, a int32 = half, half, half, half
		n := 2 * int(p.pairs)
		from := src[4*p.from:][:4*n]
		for j := range n {
			w, px := weights[4*j], from[4*j:4*j+4:4*j+4]
			r += w * int32(px[0])
			g += w * int32(px[1])
			b += w * int32(px[2])
			a += w * int32(px[3])
		}
		weights = weights[4*n:]
		out := dst[4*i : 4*i+4 : 4*i+4]
		out[0], out[1] = clip8(r>>precision), clip8(g>>precision)
		out[2], out[3] = clip8(b>>precision), clip8(a>>precision)
	}
}

// mixStep divides the length of the rows that are mixed.
const mixStep = 32

// mix computes a row of the second pass, the sum of taps times weights.
func mix(dst []uint8, taps [][]uint8, weights []int32) {
	for _, t := range taps {
		_ = t[len(dst)-1]
	}
	if hasAVX2 {
		mixAVX2(&dst[0], &taps[0], &weights[0], len(weights), len(dst)/mixStep)
		return
	}
	mixGo(dst, taps, weights)
}

// mixGo is what mix computes.
func mixGo(dst []uint8, taps [][]uint8, weights []int32) {
	for len(dst) > 0 {
		var sums [mixStep]int32
		for i := range sums {
			sums[i] = half
		}
		at := len(taps[0]) - len(dst)
		for j, w := range weights {
			for i, v := range taps[j][at:][:mixStep] {
				sums[i] += w * int32(v)
			}
		}
		for i, v := range sums {
			dst[i] = clip8(v >> precision)
		}
		dst = dst[mixStep:]
	}
}

func clip8(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31))
	}
	return uint8(v)
}
