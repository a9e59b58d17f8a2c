package jpeg

import "math/bits"

// coefBits says of the first coefficients of a component, in the file's order,
// how many low bits are still missing, or −1 where none has come.
const knownCoefs = 10

type coefBits [64]int8

// progress notes what a scan will add to its components.
func (d *decoder) progress(s *scanHeader) {
	for _, c := range s.comps {
		for k := min(s.from, 1); k <= max(s.to, knownCoefs-1); k++ {
			c.before[k] = c.bits[k]
			if d.scans == 1 {
				c.before[k] = 0
			}
		}
		for k := s.from; k <= s.to; k++ {
			c.bits[k] = int8(s.bit)
		}
	}
}

// progression decodes a scan of a progressive frame (annex G) into the
// components' coefficients.
type progression struct {
	huffmanData
	*scanHeader
	skip   int                                        // blocks that have no further coefficients in this band
	decode func(p *progression, c *component, at int) // of a block
}

func newProgression(b bitReader, s *scanHeader) *progression {
	p := &progression{huffmanData: huffmanData{bitReader: b, comps: s.comps}, scanHeader: s, decode: (*progression).firstAC}
	switch {
	case s.from == 0 && s.highBit == 0:
		p.decode = (*progression).firstDC
	case s.from == 0:
		p.decode = (*progression).refineDC
	case s.highBit > 0:
		p.decode = (*progression).refineAC
	}
	return p
}

func (p *progression) block(c *component, x, y int) {
	p.decode(p, c, y*c.across+x)
}

func (p *progression) restart(want byte) bool {
	p.skip = 0
	return p.huffmanData.restart(want)
}

func (p *progression) firstDC(c *component, at int) {
	p.ensure()
	if size := p.symbol(c.dc); size > 0 {
		c.pred += extend(p.take(size), size)
	}
	c.coefs[64*at] = int16(c.pred << p.bit)
}

func (p *progression) refineDC(c *component, at int) {
	p.ensureBit()
	c.coefs[64*at] |= int16(p.take(1) << p.bit)
}

// firstAC holds the reader's state in variables, as sequential's block does.
func (p *progression) firstAC(c *component, at int) {
	if p.skip > 0 {
		p.skip--
		return
	}
	block, known := (*[64]int16)(c.coefs[64*at:]), c.known[at]
	ac, acc, n := c.ac, p.acc, p.n
	for k := p.from; k <= p.to; k++ {
		if n < 32 {
			p.acc, p.n = acc, n
			p.ensure()
			acc, n = p.acc, p.n
		}
		e := ac.coef[acc>>(64-lookBits)]
		acc <<= e & 63
		n -= int(e & 63)
		run, value := int(e>>8&15), int32(e)>>16
		if value == 0 { // a code alone, as in sequential's block
			symbol := int(e >> 8 & 0xff)
			if e == 0 {
				p.acc, p.n = acc, n
				symbol = p.longSymbol(ac)
				acc, n = p.acc, p.n
			}
			size := symbol & 15
			if run = symbol >> 4; size == 0 {
				if run < 15 {
					p.acc, p.n = acc, n
					p.skip = p.endOfBand(run) - 1
					c.known[at] = known
					return
				}
				k += 15
				continue
			}
			value = extend(int32(acc>>((64-size)&63)), size)
			acc <<= size & 63
			n -= size
		}
		k += run
		v, bit := int16(value<<p.bit), uint64(1)<<min(k, 63)
		block[zigzag[k]&63] = v
		if known |= bit; v == 0 { // lost its bits, in a damaged file
			known &^= bit
		}
	}
	p.acc, p.n = acc, n
	c.known[at] = known
}

// endOfBand returns how many blocks, with this one, end here.
func (p *progression) endOfBand(run int) int {
	if run == 0 {
		return 1
	}
	return 1<<run + int(p.take(run))
}

// refineAC adds a bit to coefficients that are not zero yet, and new ones
// (G.1.2.3).
func (p *progression) refineAC(c *component, at int) {
	block, known := (*[64]int16)(c.coefs[64*at:]), c.known[at]
	k := p.from
	for p.skip == 0 && k <= p.to {
		p.ensure()
		symbol := p.symbol(c.ac)
		run, size := symbol>>4, symbol&15
		value := int16(0)
		if size == 0 && run < 15 {
			p.skip = p.endOfBand(run)
			break
		}
		if size > 0 { // only 1 is valid; libjpeg takes any other for it
			value = int16(2*p.take(1)-1) << p.bit
		}
		k = p.refine(block, known, k, run)
		if value != 0 {
			block[zigzag[k]&63] = value
			known |= 1 << min(k, 63)
		}
		k++
	}
	c.known[at] = known
	if p.skip > 0 {
		p.refine(block, known, k, 64)
		p.skip--
	}
}

// refine reads the correction bits of coefficients from k on, until it has
// passed run zeroes and come to one more, whose place it returns.
func (p *progression) refine(block *[64]int16, known uint64, k, run int) int {
	acc, n := p.acc, p.n
	one := int16(1) << p.bit
	for left := known >> k; ; left >>= 1 {
		zeroes := bits.TrailingZeros64(left)
		left >>= zeroes & 63
		if zeroes = min(zeroes, p.to+1-k); run < zeroes {
			k += run
			break
		}
		run -= zeroes
		if k += zeroes; k > p.to {
			break
		}
		if n < 32 {
			p.acc, p.n = acc, n
			p.ensureBit()
			acc, n = p.acc, p.n
		}
		// Away from zero where the bit is 1. It is as often as not, so nothing branches.
		v := &block[zigzag[k]&63]
		sign := *v >> 15
		added := int16(acc>>63) &^ (*v >> p.bit)
		*v += ((one ^ sign) - sign) & -(added & 1)
		acc <<= 1
		n--
		k++
	}
	p.acc, p.n = acc, n
	return k
}

// ensureBit is ensure for bits that are no symbol.
func (b *bitReader) ensureBit() {
	if b.n < 32 {
		b.refill()
	}
}

// reconstruct computes a component's samples from its coefficients.
func (c *component) reconstruct() {
	q := natural(c.quant)
	var block [64]int16
	for y := range c.down {
		for x := range c.across {
			at := y*c.across + x
			in := (*[64]int16)(c.coefs[64*at:])
			multiply(&block, in, &q)
			c.put(x, y, &block, c.known != nil && c.known[at] == 0 || c.known == nil && isZero(in[1:]))
		}
	}
}

// natural is a quantisation table in the order of coefficients.
func natural(q *[64]uint16) (t [64]uint16) {
	for k, v := range q {
		t[zigzag[k]] = v
	}
	return t
}

// multiply computes out = in·q, of which it keeps the low 16 bits.
func multiply(out, in *[64]int16, q *[64]uint16) {
	if hasAVX2 {
		multiplyAVX2(out, in, q)
		return
	}
	multiplyGo(out, in, q)
}

// multiplyGo is what multiply computes.
func multiplyGo(out, in *[64]int16, q *[64]uint16) {
	for i, v := range in {
		out[i] = v * int16(q[i])
	}
}
