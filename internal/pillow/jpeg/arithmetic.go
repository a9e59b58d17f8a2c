package jpeg

// arithmetic decodes a scan of a frame with arithmetic coding (annex D and the
// models of annexes F and G), sequential or progressive.
type arithmetic struct {
	*scanHeader
	input      bitReader // for its bytes and markers
	code       int64     // base of the interval, and bits that were read ahead
	size       int64     // of the interval
	ahead      int       // bits read ahead; spoilt after a wrong code
	spoilt     bool      // until the next restart
	dc         [16]*[64]byte
	ac         [16]*[256]byte
	context    map[*component]int // of the next DC difference
	condition  *conditioning
	sequential bool
	even       byte // the state of a decision with probability 1/2
	decode     func(a *arithmetic, c *component, block []int16)
}

// conditioning is what DAC segments set (B.2.4.3).
type conditioning struct {
	lower, upper [16]byte // of DC
	kx           [16]byte // of AC
}

func newConditioning() *conditioning {
	c := new(conditioning)
	for i := range c.kx {
		c.upper[i], c.kx[i] = 1, 5
	}
	return c
}

// conditions reads a DAC segment.
func (d *decoder) conditions(body []byte) error {
	for ; len(body) >= 2; body = body[2:] {
		id, v := body[0], body[1]
		switch {
		case id < 16 && v&15 <= v>>4:
			d.condition.lower[id], d.condition.upper[id] = v&15, v>>4
		case id >= 16 && id < 32:
			d.condition.kx[id-16] = v
		default:
			return errConditions
		}
	}
	if len(body) > 0 {
		return errConditions
	}
	return nil
}

func newArithmetic(d *decoder, s *scanHeader) *arithmetic {
	a := &arithmetic{
		scanHeader: s, input: bitReader{data: d.data[:d.own], pos: d.pos},
		context: make(map[*component]int), condition: d.condition, sequential: d.kind == baseline, even: fixedState,
	}
	a.decode = (*arithmetic).firstAC
	switch {
	case s.from == 0 && s.highBit == 0:
		a.decode = (*arithmetic).firstDC
	case s.from == 0:
		a.decode = (*arithmetic).refineDC
	case s.highBit > 0:
		a.decode = (*arithmetic).refineAC
	}
	a.begin()
	return a
}

// begin resets what an interval learns.
func (a *arithmetic) begin() {
	a.code, a.size, a.ahead, a.spoilt = 0, 0, -16, false
	for _, c := range a.comps {
		c.pred, a.context[c] = 0, 0
		a.dc[c.dcTable], a.ac[c.acTable] = new([64]byte), new([256]byte)
	}
}

func (a *arithmetic) block(c *component, x, y int) {
	if a.spoilt {
		return
	}
	if !a.sequential {
		a.decode(a, c, c.coefs[64*(y*c.across+x):][:64])
		return
	}
	var coefs [64]int16
	a.whole(c, coefs[:])
	block := quantised(coefs[:], c.quant)
	c.put(x, y, &block, isZero(coefs[1:]))
}

func (a *arithmetic) starved() bool { return false }

func (a *arithmetic) lost() bool { return a.input.eof }

func (a *arithmetic) unread() (int, byte) { return a.input.pos, a.input.marker }

func (a *arithmetic) restart(want byte) bool {
	if !a.input.restart(want) {
		return false
	}
	a.begin()
	return true
}

// bit decodes a decision of a state, and moves the state on (D.2). The interval
// and its base are kept as libjpeg's jdarith.c keeps them, which shifts the base
// only to take in bytes.
func (a *arithmetic) bit(state *byte) int {
	for a.size < 0x8000 {
		if a.ahead--; a.ahead < 0 {
			a.code = a.code<<8 | int64(a.nextByte())
			if a.ahead += 8; a.ahead < 0 {
				if a.ahead++; a.ahead == 0 {
					a.size = 0x8000
				}
			}
		}
		a.size <<= 1
	}
	s := *state
	e := estimates[s&0x7f]
	more, value := s&0x80, s>>7
	a.size -= int64(e.less)
	if low := a.size << a.ahead; a.code >= low {
		a.code -= low
		likely := a.size < int64(e.less)
		a.size = int64(e.less)
		if likely {
			*state = more ^ e.afterMore
			return int(value)
		}
		*state = more ^ e.afterLess
		return int(value ^ 1)
	}
	if a.size >= 0x8000 {
		return int(value)
	}
	if a.size < int64(e.less) {
		*state = more ^ e.afterLess
		return int(value ^ 1)
	}
	*state = more ^ e.afterMore
	return int(value)
}

// nextByte returns the next byte of the data, and zeroes behind them.
func (a *arithmetic) nextByte() byte {
	b := &a.input
	if b.marker != 0 || b.eof {
		return 0
	}
	if b.pos >= len(b.data) {
		b.eof = true
		return 0
	}
	c := b.data[b.pos]
	b.pos++
	if c != 0xff {
		return c
	}
	next, ok := b.afterFF()
	if !ok {
		b.eof = true
	}
	if b.marker = next; next == 0 && ok {
		return 0xff
	}
	return 0
}

// whole decodes a block of a sequential frame.
func (a *arithmetic) whole(c *component, block []int16) {
	if !a.difference(c) {
		return
	}
	block[0] = int16(c.pred)
	a.band(c, block, 1, 63, 0)
}

func (a *arithmetic) firstDC(c *component, block []int16) {
	if !a.difference(c) {
		return
	}
	block[0] = int16(c.pred << a.scanHeader.bit)
}

func (a *arithmetic) firstAC(c *component, block []int16) {
	a.band(c, block, a.from, a.to, a.scanHeader.bit)
}

func (a *arithmetic) refineDC(_ *component, block []int16) {
	if a.bit(&a.even) == 1 {
		block[0] |= 1 << a.scanHeader.bit
	}
}

// difference decodes the change of the DC coefficient (F.1.4.4.1).
func (a *arithmetic) difference(c *component) bool {
	stats := a.dc[c.dcTable]
	st := a.context[c]
	if a.bit(&stats[st]) == 0 {
		a.context[c] = 0
		return true
	}
	sign := a.bit(&stats[st+1])
	st += 2 + sign
	m := a.bit(&stats[st])
	if m != 0 {
		for st = 20; a.bit(&stats[st]) == 1; st++ {
			if m <<= 1; m == 0x8000 {
				a.spoilt = true
				return false
			}
		}
	}
	switch {
	case m < 1<<a.condition.lower[c.dcTable]>>1:
		a.context[c] = 0
	case m > 1<<a.condition.upper[c.dcTable]>>1:
		a.context[c] = 12 + 4*sign
	default:
		a.context[c] = 4 + 4*sign
	}
	c.pred = (c.pred + a.value(stats[st+14:], m, sign)) & 0xffff
	return true
}

// value decodes the bits below the highest, m, of a number less one.
func (a *arithmetic) value(stats []byte, m, sign int) int32 {
	v := int32(m)
	for m >>= 1; m > 0; m >>= 1 {
		if a.bit(&stats[0]) == 1 {
			v |= int32(m)
		}
	}
	if sign == 1 {
		return -v - 1
	}
	return v + 1
}

// band decodes AC coefficients (F.1.4.4.2).
func (a *arithmetic) band(c *component, block []int16, from, to int, shift uint) {
	stats := a.ac[c.acTable]
	for k := from; k <= to; k++ {
		st := 3 * (k - 1)
		if a.bit(&stats[st]) == 1 {
			return
		}
		for a.bit(&stats[st+1]) == 0 {
			st += 3
			if k++; k > to {
				a.spoilt = true
				return
			}
		}
		sign := a.bit(&a.even)
		st += 2
		m := a.bit(&stats[st])
		if m != 0 && a.bit(&stats[st]) == 1 {
			m <<= 1
			if st = 217; k <= int(a.condition.kx[c.acTable]) {
				st = 189
			}
			for ; a.bit(&stats[st]) == 1; st++ {
				if m <<= 1; m == 0x8000 {
					a.spoilt = true
					return
				}
			}
		}
		block[zigzag[k]] = int16(a.value(stats[st+14:], m, sign) << shift)
	}
}

// refineAC adds a bit to coefficients that are not zero yet, and new ones
// (G.1.3.3).
func (a *arithmetic) refineAC(c *component, block []int16) {
	stats := a.ac[c.acTable]
	plus, minus := int16(1)<<a.scanHeader.bit, int16(-1)<<a.scanHeader.bit
	last := a.to
	for last > 0 && block[zigzag[last]] == 0 {
		last--
	}
	for k := a.from; k <= a.to; k++ {
		st := 3 * (k - 1)
		if k > last && a.bit(&stats[st]) == 1 {
			return
		}
		for ; ; st += 3 {
			v := &block[zigzag[k]]
			if *v != 0 {
				if a.bit(&stats[st+2]) == 1 {
					if *v < 0 {
						*v += minus
					} else {
						*v += plus
					}
				}
				break
			}
			if a.bit(&stats[st+1]) == 1 {
				if *v = plus; a.bit(&a.even) == 1 {
					*v = minus
				}
				break
			}
			if k++; k > a.to {
				a.spoilt = true
				return
			}
		}
	}
}
