package jpeg

// progressiveScan decodes a scan of a progressive frame (annex G) into the
// components' coefficients.
func (d *decoder) progressiveScan(b *bitReader, s *scanHeader) error {
	p := &progression{bitReader: b, scanHeader: s}
	decode := p.firstAC
	switch {
	case s.from == 0 && s.highBit == 0:
		decode = p.firstDC
	case s.from == 0:
		decode = p.refineDC
	case s.highBit > 0:
		decode = p.refineAC
	}
	return d.units(b, s, func(c *component, x, y int) error {
		return decode(c, c.coefs[64*(y*c.across+x):][:64])
	}, func() {
		s.resetPredictions()
		p.skip = 0
	})
}

// progression is the state of a progressive scan.
type progression struct {
	*bitReader
	*scanHeader
	skip int // blocks that have no further coefficients in this band
}

func (p *progression) firstDC(c *component, block []int16) error {
	p.ensure()
	size := p.symbol(c.dc)
	if size < 0 || size > 15 {
		return errCode
	}
	if size > 0 {
		c.pred += extend(p.take(size), size)
	}
	block[0] = int16(c.pred << p.bit)
	return nil
}

func (p *progression) refineDC(_ *component, block []int16) error {
	p.ensure()
	block[0] |= int16(p.take(1) << p.bit)
	return nil
}

func (p *progression) firstAC(c *component, block []int16) error {
	if p.skip > 0 {
		p.skip--
		return nil
	}
	for k := p.from; k <= p.to; k++ {
		p.ensure()
		symbol := p.symbol(c.ac)
		if symbol < 0 {
			return errCode
		}
		run, size := symbol>>4, symbol&15
		if size == 0 {
			if run < 15 {
				p.skip = p.endOfBand(run) - 1
				return nil
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errRun
		}
		block[zigzag[k]] = int16(extend(p.take(size), size) << p.bit)
	}
	return nil
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
func (p *progression) refineAC(c *component, block []int16) error {
	k := p.from
	for p.skip == 0 && k <= p.to {
		p.ensure()
		symbol := p.symbol(c.ac)
		if symbol < 0 {
			return errCode
		}
		run, size := symbol>>4, symbol&15
		value := int16(0)
		switch {
		case size == 0 && run < 15:
			p.skip = p.endOfBand(run)
			continue
		case size == 1:
			if value = int16(-1) << p.bit; p.take(1) == 1 {
				value = 1 << p.bit
			}
		case size > 1:
			return errCode
		}
		k = p.refine(block, k, run)
		if value != 0 {
			if k > p.to {
				return errRun
			}
			block[zigzag[k]] = value
		}
		k++
	}
	if p.skip > 0 {
		p.refine(block, k, 64)
		p.skip--
	}
	return nil
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
		p.ensure()
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

// reconstruct computes a component's samples from its coefficients.
func (c *component) reconstruct() {
	stride := 8 * c.across
	for y := range c.down {
		for x := range c.across {
			block := quantised(c.coefs[64*(y*c.across+x):][:64], c.quant)
			inverseDCT(c.plane[8*(y*stride+x):], stride, &block)
		}
	}
	c.coefs = nil
}
