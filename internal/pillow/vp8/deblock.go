package vp8

// filters say how edges between blocks are smoothed (9.4, 15).
type filters struct {
	simple           bool
	level, sharpness int
	adjust, parts    int // of frames that are predicted within, and of those by 4×4 blocks
	of               [4][2]deblocking
}

// deblocking is how a macroblock's edges are smoothed: of each segment for those that are
// predicted as one and by 4×4 blocks.
type deblocking struct {
	limit, inside, high int32 // limit 0 leaves them
	inner               bool  // those between its blocks, too
}

func (d *decoder) filterHeader(b *boolReader) {
	f := &d.filters
	f.simple = b.flag()
	f.level, f.sharpness = b.number(6), b.number(3)
	if !b.flag() {
		return
	}
	if b.flag() {
		for i := range 8 {
			v := b.optional(6, 0)
			switch i {
			case 0:
				f.adjust = v
			case 4:
				f.parts = v
			}
		}
	}
}

// strengths computes what the segments' filters do.
func (d *decoder) strengths() {
	f := &d.filters
	for segment := range f.of {
		base := f.level
		if s := &d.segments; s.on {
			if base = s.strength[segment]; !s.absolute {
				base += f.level
			}
		}
		for parts := range f.of[segment] {
			level := min(max(base+f.adjust+parts*f.parts, 0), 63)
			out := &f.of[segment][parts]
			if out.inner = parts == 1; level == 0 {
				continue
			}
			inside := level
			if f.sharpness > 0 {
				inside = min(inside>>((f.sharpness+3)/4), 9-f.sharpness)
			}
			inside = max(inside, 1)
			out.limit, out.inside = int32(2*level+inside), int32(inside)
			if level >= 15 {
				out.high++
			}
			if level >= 40 {
				out.high++
			}
		}
	}
}

// deblock smooths the edges of a macroblock: its left one, those within, its upper one and
// those within; of chroma both planes at once.
func (d *decoder) deblock(x, y int) {
	f := d.blocks[y*d.across+x]
	if f.limit == 0 {
		return
	}
	outer := f
	outer.limit += 4
	for _, pair := range [2][2]*plane{{&d.luma, &d.luma}, {&d.cb, &d.cr}} {
		p, q, size := pair[0], pair[1], 8
		if p == q {
			size = 16
		} else if d.filters.simple {
			return
		}
		at := p.origin() + size*(y*p.stride+x)
		for _, turned := range [2]bool{false, true} {
			across, along, edge := 1, p.stride, x > 0
			if turned {
				across, along, edge = p.stride, 1, y > 0
			}
			other := at // half of the samples
			if p == q {
				other += 8 * along
			}
			if edge {
				d.smooth(p.pix, q.pix, at, other, across, along, &outer, false)
			}
			for i := 4; i < size && f.inner; i += 4 {
				d.smooth(p.pix, q.pix, at+i*across, other+i*across, across, along, &f, true)
			}
		}
	}
}

// smooth smooths an edge before eight samples of p, from the one at on, and eight of q.
func (d *decoder) smooth(p, q []byte, at, other, across, along int, f *deblocking, inner bool) {
	switch {
	case d.filters.simple:
		smoothTwo(p, at, across, along, 8, f.limit)
		smoothTwo(q, other, across, along, 8, f.limit)
	case !hasAVX2:
		smoothEdge(p, at, across, along, 8, f, inner)
		smoothEdge(q, other, across, along, 8, f, inner)
	case along == 1:
		smoothRowsAVX2(&p[at], &q[other], across, uint8(f.limit), uint8(f.inside), uint8(f.high), inner)
	default:
		smoothColumnsAVX2(&p[at], &q[other], along, uint8(f.limit), uint8(f.inside), uint8(f.high), inner)
	}
}

// smoothTwo is the simple filter (15.2) along an edge before the sample at.
func smoothTwo(pix []byte, at, across, along, n int, limit int32) {
	for ; n > 0; n, at = n-1, at+along {
		s := pix[at-2*across : at+across+1]
		p1, p0, q0, q1 := int32(s[0]), int32(s[across]), int32(s[2*across]), int32(s[3*across])
		if 4*abs(p0-q0)+abs(p1-q1) > 2*limit+1 {
			continue
		}
		a, b := pull(3*(q0-p0) + clip7(p1-q1))
		s[across], s[2*across] = clip(p0+b), clip(q0-a)
	}
}

// smoothEdge is the normal filter (15.3).
func smoothEdge(pix []byte, at, across, along, n int, f *deblocking, inner bool) {
	limit, inside, high := 2*f.limit+1, f.inside, f.high
	for ; n > 0; n, at = n-1, at+along {
		s := pix[at-4*across : at+3*across+1]
		p1, p0, q0, q1 := int32(s[2*across]), int32(s[3*across]), int32(s[4*across]), int32(s[5*across])
		if 4*abs(p0-q0)+abs(p1-q1) > limit || abs(p1-p0) > inside || abs(q1-q0) > inside {
			continue
		}
		p3, p2, q2, q3 := int32(s[0]), int32(s[across]), int32(s[6*across]), int32(s[7*across])
		if abs(p3-p2) > inside || abs(p2-p1) > inside || abs(q2-q1) > inside || abs(q3-q2) > inside {
			continue
		}
		switch {
		case abs(p1-p0) > high || abs(q1-q0) > high:
			a, b := pull(3*(q0-p0) + clip7(p1-q1))
			s[3*across], s[4*across] = clip(p0+b), clip(q0-a)
		case inner:
			a, b := pull(3 * (q0 - p0))
			c := (a + 1) >> 1
			s[2*across], s[3*across] = clip(p1+c), clip(p0+b)
			s[4*across], s[5*across] = clip(q0-a), clip(q1-c)
		default:
			w := clip7(3*(q0-p0) + clip7(p1-q1))
			a, b, c := (27*w+63)>>7, (18*w+63)>>7, (9*w+63)>>7
			s[across], s[2*across], s[3*across] = clip(p2+c), clip(p1+b), clip(p0+a)
			s[4*across], s[5*across], s[6*across] = clip(q0-a), clip(q1-b), clip(q2-c)
		}
	}
}

// pull returns by how much the samples on both sides of an edge approach each other.
func pull(v int32) (right, left int32) {
	return min(max((v+4)>>3, -16), 15), min(max((v+3)>>3, -16), 15)
}

func clip7(v int32) int32 { return min(max(v, -128), 127) }

func abs(v int32) int32 { return max(v, -v) }
