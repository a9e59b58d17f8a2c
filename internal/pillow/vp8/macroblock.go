package vp8

// plane holds samples below a row and beside a column that stand for what lies outside.
type plane struct {
	pix    []byte
	stride int
}

// margin is how far samples are from the left end of their row, and from the right.
const margin = 4

func newPlane(width, height int) plane {
	p := plane{make([]byte, (width+2*margin)*(height+1)), width + 2*margin}
	for i := range p.stride {
		p.pix[i] = 127
	}
	for y := 1; y <= height; y++ {
		p.pix[y*p.stride+margin-1] = 129
	}
	return p
}

func (p *plane) origin() int { return p.stride + margin }

// macroblock decodes the one in column x of row y.
func (d *decoder) macroblock(tokens *boolReader, x, y int) {
	b, up := d.modes, &d.above[x]
	segment := 0
	if s := &d.segments; s.mapped {
		if b.bit(s.probs[0]) {
			segment = 2
		}
		if b.bit(s.probs[1+segment/2]) {
			segment++
		}
	}
	skip := d.skips >= 0 && b.bit(uint8(d.skips))
	whole := b.bit(145) // predicted as one
	var modes [16]uint8
	if whole {
		modes[0] = wholeMode(b)
		for i := range 4 {
			up.modes[i], d.left.modes[i] = modes[0], modes[0]
		}
	} else {
		for j := range 4 {
			m := d.left.modes[j]
			for i := range 4 {
				m = partMode(b, modeProbs[9*(10*int(up.modes[i])+int(m)):])
				modes[4*j+i], up.modes[i] = m, m
			}
			d.left.modes[j] = m
		}
	}
	chroma := chromaMode(b)
	var counts [24]uint8 // coefficients of each block
	if skip {
		up.luma, up.chroma, d.left.luma, d.left.chroma = [4]uint8{}, [4]uint8{}, [4]uint8{}, [4]uint8{}
		if whole {
			up.average, d.left.average = 0, 0
		}
	} else {
		skip = !d.residue(tokens, up, &d.steps[segment], whole, &counts)
	}
	f := d.filters.of[segment][1]
	if whole {
		f = d.filters.of[segment][0]
	}
	f.inner = f.inner || !skip
	d.blocks[y*d.across+x] = f

	at := d.luma.origin() + 16*(y*d.luma.stride+x)
	if whole {
		predictWhole(&d.luma, at, 16, modes[0], x > 0, y > 0)
		for i := range 16 {
			d.add(&d.luma, at+4*(i/4*d.luma.stride+i%4), i, counts[i])
		}
	} else {
		d.parts(at, x, y, &modes, &counts)
	}
	at = d.cb.origin() + 8*(y*d.cb.stride+x)
	for c, p := range [2]*plane{&d.cb, &d.cr} {
		predictWhole(p, at, 8, chroma, x > 0, y > 0)
		for i := range 4 {
			d.add(p, at+4*(i/2*p.stride+i%2), 16+4*c+i, counts[16+4*c+i])
		}
	}
}

// residue reads the coefficients of a macroblock (13), and reports whether it has any.
func (d *decoder) residue(b *boolReader, up *edge, steps *quantiser, whole bool, counts *[24]uint8) bool {
	first, probs := 0, &d.probs[3]
	any := false
	if whole {
		n := b.block(&d.probs[1], int(up.average+d.left.average), 0, &steps.average, &d.coefs[24])
		some := uint8(min(n, 1))
		up.average, d.left.average = some, some
		if n > 0 {
			d.spread()
		}
		first, probs = 1, &d.probs[0]
	}
	one := func(i, first int, probs *probabilities, above, left *uint8, steps *[2]int32) {
		n := b.block(probs, int(*above+*left), first, steps, &d.coefs[i])
		some := uint8(0)
		if n > first {
			some = 1
		}
		*above, *left = some, some
		switch {
		case n > 1:
			counts[i] = 2
		case d.coefs[i][0] != 0:
			counts[i] = 1
		}
		any = any || counts[i] > 0
	}
	for j := range 4 {
		for i := range 4 {
			one(4*j+i, first, probs, &up.luma[i], &d.left.luma[j], &steps.luma)
		}
	}
	for c := range 2 {
		for j := range 2 {
			for i := range 2 {
				one(16+4*c+2*j+i, 0, &d.probs[2], &up.chroma[2*c+i], &d.left.chroma[2*c+j], &steps.chroma)
			}
		}
	}
	return any
}

// spread makes the first coefficients of 16 blocks of their own transform (14.3).
func (d *decoder) spread() {
	in := &d.coefs[24]
	var m [16]int32
	for i := range 4 {
		a, b := int32(in[i])+int32(in[12+i]), int32(in[4+i])+int32(in[8+i])
		c, e := int32(in[4+i])-int32(in[8+i]), int32(in[i])-int32(in[12+i])
		m[i], m[4+i], m[8+i], m[12+i] = a+b, e+c, a-b, e-c
	}
	for i := range 4 {
		r := m[4*i : 4*i+4 : 4*i+4]
		a, b, c, e := r[0]+3+r[3], r[1]+r[2], r[1]-r[2], r[0]+3-r[3]
		d.coefs[4*i][0], d.coefs[4*i+1][0] = int16((a+b)>>3), int16((e+c)>>3)
		d.coefs[4*i+2][0], d.coefs[4*i+3][0] = int16((a-b)>>3), int16((e-c)>>3)
	}
	*in = [16]int16{}
}

// add adds the inverse transform of block i to the samples from at on (14.4), and makes the
// block zero.
func (d *decoder) add(p *plane, at, i int, count uint8) {
	switch in := &d.coefs[i]; {
	case count == 0:
	case hasAVX2:
		_ = p.pix[at+3*p.stride+3]
		addAVX2(&p.pix[at], p.stride, in)
	default:
		addGo(p.pix[at:], p.stride, in, count)
	}
}

// addGo is what add does.
func addGo(pix []byte, stride int, in *[16]int16, count uint8) {
	if count == 1 {
		v := (int32(in[0]) + 4) >> 3
		for j := range 4 {
			row := (*[4]byte)(pix[j*stride:])
			for k := range row {
				row[k] = clip(int32(row[k]) + v)
			}
		}
		in[0] = 0
		return
	}
	var m [16]int32
	for k := range 4 {
		x, y := int32(in[4+k]), int32(in[12+k])
		a, b := int32(in[k])+int32(in[8+k]), int32(in[k])-int32(in[8+k])
		c, e := sine(x)-cosine(y), cosine(x)+sine(y)
		m[k], m[4+k], m[8+k], m[12+k] = a+e, b+c, b-c, a-e
	}
	for j := range 4 {
		r := m[4*j : 4*j+4 : 4*j+4]
		a, b := r[0]+4+r[2], r[0]+4-r[2]
		c, e := sine(r[1])-cosine(r[3]), cosine(r[1])+sine(r[3])
		row := (*[4]byte)(pix[j*stride:])
		row[0] = clip(int32(row[0]) + (a+e)>>3)
		row[1] = clip(int32(row[1]) + (b+c)>>3)
		row[2] = clip(int32(row[2]) + (b-c)>>3)
		row[3] = clip(int32(row[3]) + (a-e)>>3)
	}
	*in = [16]int16{}
}

// √2·cos(π/8) and √2·sin(π/8), in 16 bits.
func cosine(v int32) int32 { return v + v*20091>>16 }
func sine(v int32) int32   { return v * 35468 >> 16 }

func clip(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}
