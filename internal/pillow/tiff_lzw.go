package pillow

import (
	"errors"
	"io"
)

const (
	lzwClear = 256
	lzwEnd   = 257
	lzwFirst = 258
	lzwMost  = 1 << 12
	lzwSlack = 1 << 10 // codes that libtiff lets an encoder forget to clear
)

// lzwReader undoes TIFF's LZW. Codes have their first bit in the highest bit of a
// byte, and grow one code early; of old files, which a first byte of 0 and an odd
// second tell, they have it in the lowest, and grow in time.
type lzwReader struct {
	data    []byte
	old     bool
	acc     uint32
	have    int // bits
	width   int // of a code
	free    int // first code of no string, or -1 before the first clear
	last    int
	ended   bool
	pending []byte // of the last code's string
	before  [lzwMost]uint16
	suffix  [lzwMost]byte
	first   [lzwMost]byte
	length  [lzwMost]uint16
	text    [lzwMost + lzwSlack]byte
}

func newLZWReader(data []byte) *lzwReader {
	z := &lzwReader{data: data, width: 9, free: -1}
	z.old = len(data) >= 2 && data[0] == 0 && data[1]&1 != 0
	for i := range 256 {
		z.suffix[i], z.first[i], z.length[i] = byte(i), byte(i), 1
	}
	return z
}

// code returns the next code, which is lzwEnd where the data end.
func (z *lzwReader) code() int {
	for z.have < z.width {
		if len(z.data) == 0 {
			return lzwEnd
		}
		if z.old {
			z.acc |= uint32(z.data[0]) << z.have
		} else {
			z.acc |= uint32(z.data[0]) << (24 - z.have)
		}
		z.data = z.data[1:]
		z.have += 8
	}
	z.have -= z.width
	if z.old {
		c := z.acc & (1<<z.width - 1)
		z.acc >>= z.width
		return int(c)
	}
	c := z.acc >> (32 - z.width)
	z.acc <<= z.width
	return int(c)
}

var errLZW = errors.New("LZW data have a code of no string")

func (z *lzwReader) Read(dst []byte) (n int, err error) {
	for n < len(dst) {
		if len(z.pending) == 0 {
			if err := z.next(); err != nil {
				return n, err
			}
		}
		k := copy(dst[n:], z.pending)
		z.pending = z.pending[k:]
		n += k
	}
	return n, nil
}

// next expands a code.
func (z *lzwReader) next() error {
	if z.ended {
		return io.ErrUnexpectedEOF
	}
	c := z.code()
	begins := c == lzwClear
	for c == lzwClear {
		z.free, z.width = lzwFirst, 9
		c = z.code()
	}
	switch {
	case c == lzwEnd:
		z.ended = true
		return io.ErrUnexpectedEOF
	case z.free < 0, begins && c > lzwEnd:
		return errLZW
	case begins:
		z.last = c
		z.text[0] = byte(c)
		z.pending = z.text[:1]
		return nil
	case c > z.free || z.free >= lzwMost+lzwSlack:
		return errLZW
	}
	if z.free < lzwMost {
		z.before[z.free] = uint16(z.last)
		z.first[z.free] = z.first[z.last]
		z.length[z.free] = z.length[z.last] + 1
		z.suffix[z.free] = z.first[c] // of itself, where c is new
	}
	z.free++
	limit := 1<<z.width - 1
	if z.old {
		limit++
	}
	if z.free >= limit && z.width < 12 {
		z.width++
	}
	z.last = c
	z.expand(c)
	return nil
}

func (z *lzwReader) expand(c int) {
	n := int(z.length[c])
	for i := n - 1; i >= 0; i-- {
		z.text[i] = z.suffix[c]
		c = int(z.before[c])
	}
	z.pending = z.text[:n]
}
