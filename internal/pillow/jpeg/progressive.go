package jpeg

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
	skip   int // blocks that have no further coefficients in this band
	decode func(p *progression, c *component, block []int16)
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
	p.decode(p, c, c.coefs[64*(y*c.across+x):][:64])
}

func (p *progression) restart(want byte) bool {
	p.skip = 0
	return p.huffmanData.restart(want)
}

func (p *progression) firstDC(c *component, block []int16) {
	p.ensure()
	if size := p.symbol(c.dc); size > 0 {
		c.pred += extend(p.take(size), size)
	}
	block[0] = int16(c.pred << p.bit)
}

func (p *progression) refineDC(_ *component, block []int16) {
	p.ensureBit()
	block[0] |= int16(p.take(1) << p.bit)
}

func (p *progression) firstAC(c *component, block []int16) {
	if p.skip > 0 {
		p.skip--
		return
	}
	for k := p.from; k <= p.to; k++ {
		p.ensure()
		symbol := p.symbol(c.ac)
		run, size := symbol>>4, symbol&15
		if size == 0 {
			if run < 15 {
				p.skip = p.endOfBand(run) - 1
				return
			}
			k += 15
			continue
		}
		k += run
		block[zigzag[k]] = int16(extend(p.take(size), size) << p.bit)
	}
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
func (p *progression) refineAC(c *component, block []int16) {
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
			if value = int16(-1) << p.bit; p.take(1) == 1 {
				value = 1 << p.bit
			}
		}
		k = p.refine(block, k, run)
		if value != 0 {
			block[zigzag[k]] = value
		}
		k++
	}
	if p.skip > 0 {
		p.refine(block, k, 64)
		p.skip--
	}
}

// refine reads the correction bits of coefficients from k on, until it has
// passed run zeroes and come to one more, whose place it returns.
func (p *progression) refine(block []int16, k, run int) int {
	for ; k <= p.to; k++ {
		v := &block[zigzag[k]]
		if *v == 0 {
			if run == 0 {
				return k
			}
			run--
			continue
		}
		p.ensureBit()
		if p.take(1) == 0 || *v>>p.bit&1 != 0 {
			continue
		}
		if *v > 0 {
			*v += 1 << p.bit
		} else {
			*v -= 1 << p.bit
		}
	}
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
	for y := range c.down {
		for x := range c.across {
			in := c.coefs[64*(y*c.across+x):][:64]
			block := quantised(in, c.quant)
			c.put(x, y, &block, isZero(in[1:]))
		}
	}
}
