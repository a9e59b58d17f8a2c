package jpeg

// sequential decodes a scan of a baseline or extended sequential frame to
// samples.
type sequential struct {
	huffmanData
	coefs [64]int16 // zero between blocks
}

func (s *sequential) block(c *component, x, y int) {
	flat := s.bitReader.block(c, &s.coefs)
	c.put(x, y, &s.coefs, flat)
}

// put computes the samples of a block of dequantised coefficients, which it
// makes zero; flat says that only the first of them is not.
func (c *component) put(x, y int, coefs *[64]int16, flat bool) {
	out := c.plane[c.side*(y*c.stride+x):]
	switch {
	case c.side < 8:
		smallDCT(out, c.stride, c.side, coefs)
	case flat:
		fillBlock(out, c.stride, coefs[0])
		coefs[0] = 0
		return
	default:
		inverseDCT(out, c.stride, coefs)
	}
	*coefs = [64]int16{}
}

// block decodes a block, which must be zero, and multiplies it with the
// quantisation table. It reports whether the DC coefficient is the only one.
func (b *bitReader) block(c *component, out *[64]int16) (flat bool) {
	k := 0
	for b.ensure(); hasBMI2 && b.n >= 32; b.ensure() {
		if k = blockBMI2(b, c, out, k); k < stopped {
			return k == ended+1
		}
		if k -= stopped; k == 0 { // a long code of the DC coefficient
			break
		}
	}
	return b.blockGo(c, out, k)
}

// What blockBMI2 adds to the coefficient that it has come to.
const (
	ended   = 128 // by a code
	stopped = 256 // because the reader is to be refilled otherwise than it does
)

// blockGo is what block computes, from a coefficient on.
// The reader's state is held in variables, which the compiler keeps in registers.
func (b *bitReader) blockGo(c *component, out *[64]int16, from int) (flat bool) {
	ac, steps := c.ac, &c.steps
	k := uint(from)
	if k == 0 {
		b.ensure()
		if size := b.symbol(c.dc); size > 0 {
			c.pred += extend(b.take(size), size)
		}
		out[0] = int16(c.pred * steps[0])
		k = 1
	}
	acc, n := b.acc, b.n
	for ; k < 64; k++ {
		if n < 32 {
			b.acc, b.n = acc, n
			b.ensure()
			acc, n = b.acc, b.n
		}
		e := ac.coef[acc>>(64-lookBits)]
		acc <<= e & 63
		n -= int(e & 63)
		k += uint(e >> 8 & 15)
		value := int32(e) >> 16
		if value == 0 {
			// A code alone: its symbol is in bits 8 to 15, a run in the
			// upper four; or a code longer than the table's, of 0 bits.
			size := e >> 8 & 15
			k += uint(e>>12&15) - uint(size)
			if e == 0 {
				b.acc, b.n = acc, n
				symbol := b.longSymbol(ac)
				acc, n = b.acc, b.n
				size = uint32(symbol & 15)
				k += uint(symbol >> 4)
				e = uint32(symbol) << 8
			}
			if size == 0 {
				if e>>12&15 == 15 {
					continue
				}
				k -= uint(e >> 12 & 15)
				break
			}
			value = extend(int32(acc>>((64-size)&63)), int(size))
			acc <<= size & 63
			n -= int(size)
		}
		out[zigzag[k]&63] = int16(value * steps[k])
	}
	b.acc, b.n = acc, n
	return k == 1
}

// quantised multiplies a block by a table.
func quantised(in []int16, q *[64]uint16) (out [64]int16) {
	for k, v := range q {
		z := zigzag[k]
		out[z] = int16(int32(in[z]) * int32(v))
	}
	return out
}
