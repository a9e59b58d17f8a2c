package jpeg

import (
	"errors"
	"fmt"
)

// zigzag maps a coefficient's place in the file to its place in the block
// (figure A.6). Runs that lead out of the block end in its last place.
var zigzag = [64 + 16]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
}

var (
	errCode = errors.New("entropy-coded data has no such code")
	errRun  = errors.New("entropy-coded data runs out of a block")
	errEnds = errors.New("entropy-coded data ends early")
)

// scanHeader is a scan header (B.2.3).
type scanHeader struct {
	comps        []*component
	from, to     int // band of coefficients
	highBit, bit uint
}

// scan reads a scan header and the data behind it.
func (d *decoder) scan(body []byte) error {
	if d.comps == nil {
		return errors.New("a scan before the frame header")
	}
	if d.scans++; d.scans > maxScans {
		return fmt.Errorf("more than %d scans", maxScans)
	}
	s, err := d.scanHeader(body)
	if err != nil {
		return err
	}
	for _, c := range s.comps {
		if c.quant == nil {
			if d.quant[c.tq] == nil {
				return fmt.Errorf("component %d: no quantisation table %d", c.id, c.tq)
			}
			c.quant = d.quant[c.tq]
		}
	}
	b := &bitReader{data: d.data, pos: d.pos}
	if d.progressive {
		err = d.progressiveScan(b, s)
	} else {
		err = d.sequentialScan(b, s)
	}
	d.pos = b.pos
	if err != nil && b.n < 0 && b.pos >= len(b.data) {
		return errTruncated
	}
	return err
}

func (d *decoder) scanHeader(body []byte) (*scanHeader, error) {
	if len(body) < 1 || len(body) != 4+2*int(body[0]) || body[0] < 1 || body[0] > 4 {
		return nil, fmt.Errorf("scan header of %d bytes", len(body))
	}
	n := int(body[0])
	end := body[1+2*n:]
	s := &scanHeader{from: int(end[0]), to: int(end[1]), highBit: uint(end[2] >> 4), bit: uint(end[2] & 15)}
	if !d.progressive {
		s.from, s.to, s.highBit, s.bit = 0, 63, 0, 0
	}
	if s.from > s.to || s.to > 63 || s.bit > 13 || s.highBit > 13 || s.highBit > 0 && s.bit != s.highBit-1 ||
		d.progressive && (s.from == 0) != (s.to == 0) {
		return nil, fmt.Errorf("scan of coefficients %d to %d, bits %d to %d", s.from, s.to, s.highBit, s.bit)
	}
	if s.from > 0 && n != 1 {
		return nil, errors.New("an interleaved scan of AC coefficients")
	}
	blocks := 0
	for i := range n {
		c, err := d.scanComponent(s, body[1+2*i], body[2+2*i])
		if err != nil {
			return nil, err
		}
		blocks += c.h * c.v
		s.comps = append(s.comps, c)
	}
	if n > 1 && blocks > 10 {
		return nil, fmt.Errorf("%d blocks in a minimum coded unit, want at most 10", blocks)
	}
	return s, nil
}

// scanComponent finds a scan's component and its Huffman tables.
func (d *decoder) scanComponent(s *scanHeader, id, tables byte) (*component, error) {
	for _, c := range s.comps {
		if c.id == id {
			return nil, fmt.Errorf("component %d twice in a scan", id)
		}
	}
	for _, c := range d.comps {
		if c.id != id {
			continue
		}
		if tables>>4 > 3 || tables&15 > 3 {
			return nil, fmt.Errorf("component %d: huffman tables %d and %d", id, tables>>4, tables&15)
		}
		c.dc, c.ac, c.pred = d.dc[tables>>4], d.ac[tables&15], 0
		if s.from == 0 && s.highBit == 0 && c.dc == nil || s.to > 0 && c.ac == nil {
			return nil, fmt.Errorf("component %d: no huffman table %d or %d", id, tables>>4, tables&15)
		}
		return c, nil
	}
	return nil, fmt.Errorf("scan of component %d, which the frame lacks", id)
}

// units calls f for every block of a scan, in order, and reads the restart
// markers (A.2). A scan of one component has only the blocks that hold samples.
func (d *decoder) units(b *bitReader, s *scanHeader, f func(c *component, x, y int) error, reset func()) error {
	across, down := d.mcusX, d.mcusY
	single := len(s.comps) == 1
	if single {
		c := s.comps[0]
		across, down = (c.width+7)/8, (c.height+7)/8
	}
	left, next := d.restart, byte(markRST0)
	for my := range down {
		for mx := range across {
			if d.restart > 0 {
				if left == 0 {
					if err := b.restart(next); err != nil {
						return err
					}
					next = markRST0 + (next+1)&7
					left = d.restart
					reset()
				}
				left--
			}
			if single {
				if err := f(s.comps[0], mx, my); err != nil {
					return err
				}
			} else if err := unit(s, mx, my, f); err != nil {
				return err
			}
			if b.n < 0 {
				return errEnds
			}
		}
	}
	return nil
}

// unit calls f for the blocks of a minimum coded unit.
func unit(s *scanHeader, mx, my int, f func(c *component, x, y int) error) error {
	for _, c := range s.comps {
		for v := range c.v {
			for h := range c.h {
				if err := f(c, mx*c.h+h, my*c.v+v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *scanHeader) resetPredictions() {
	for _, c := range s.comps {
		c.pred = 0
	}
}

// sequentialScan decodes a scan of a baseline or extended sequential frame.
func (d *decoder) sequentialScan(b *bitReader, s *scanHeader) error {
	var block [64]int16
	return d.units(b, s, func(c *component, x, y int) error {
		flat, err := b.block(c, &block)
		if err != nil {
			return err
		}
		stride := 8 * c.across
		out := c.plane[8*(y*stride+x):]
		if flat {
			fillBlock(out, stride, block[0])
			block[0] = 0
		} else {
			inverseDCT(out, stride, &block)
			block = [64]int16{}
		}
		return nil
	}, s.resetPredictions)
}

// block decodes a block, which must be zero, and multiplies it with the
// quantisation table. It reports whether the DC coefficient is the only one.
// The reader's state is held in variables, which the compiler keeps in registers.
func (b *bitReader) block(c *component, out *[64]int16) (flat bool, err error) {
	b.ensure()
	size := b.symbol(c.dc)
	if size < 0 || size > 15 {
		return false, errCode
	}
	if size > 0 {
		c.pred += extend(b.take(size), size)
	}
	q, ac := c.quant, c.ac
	out[0] = int16(c.pred * int32(q[0]))

	acc, n := b.acc, b.n
	k := uint(1)
	for ; k < 64; k++ {
		if n < 32 {
			b.acc, b.n = acc, n
			b.refill()
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
				if symbol < 0 {
					return false, errCode
				}
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
		if k > 63 {
			return false, errRun
		}
		out[zigzag[k]&63] = int16(value * int32(q[k]))
	}
	b.acc, b.n = acc, n
	return k == 1, nil
}

// quantised multiplies a block by a table.
func quantised(in []int16, q *[64]uint16) (out [64]int16) {
	for k, v := range q {
		z := zigzag[k]
		out[z] = int16(int32(in[z]) * int32(v))
	}
	return out
}
