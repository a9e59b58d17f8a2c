package pillow

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	lzwClear = 256
	lzwEnd   = 257
	lzwFirst = 258
	lzwMost  = 1 << 12
	lzwSlack = 1 << 10 // codes that libtiff lets an encoder forget to clear
	lzwWord  = 8
)

// lzwReader undoes TIFF's LZW. Codes have their first bit in the highest bit of a
// byte, and grow one code early; of old files, which a first byte of 0 and an odd
// second tell, they have it in the lowest, and grow in time.
type lzwReader struct {
	data    []byte
	old     bool
	acc     uint64
	have    int // bits
	width   int // of a code
	free    int // first code of no string, or -1 before the first clear
	last    int
	err     error  // behind what is pending
	pending []byte // of text
	strings [lzwMost]lzwString
	text    [16*lzwMost + lzwSlack]byte
}

type lzwString struct {
	begins uint64 // its first bytes: most are no longer
	length uint16
	before uint16 // the string without its last byte
	suffix byte
}

// begin starts with other data.
func (z *lzwReader) begin(data []byte) (io.Reader, error) {
	z.data, z.width, z.free, z.acc, z.have, z.err, z.pending = data, 9, -1, 0, 0, nil, nil
	z.old = len(data) >= 2 && data[0] == 0 && data[1]&1 != 0
	for i := range 256 {
		z.strings[i] = lzwString{begins: uint64(i), length: 1, suffix: byte(i)}
	}
	return z, nil
}

// code returns the next code, which is lzwEnd where the data end.
func (z *lzwReader) code() int {
	if z.have < z.width {
		z.refill()
		if z.have < z.width {
			return lzwEnd
		}
	}
	z.have -= z.width
	if z.old {
		c := z.acc & (1<<z.width - 1)
		z.acc >>= z.width
		return int(c)
	}
	c := z.acc >> (64 - z.width)
	z.acc <<= z.width
	return int(c)
}

// refill takes as many bytes as fit. Of eight at once some bits are taken again the next time,
// as the same ones.
func (z *lzwReader) refill() {
	if len(z.data) >= lzwWord {
		if z.old {
			z.acc |= binary.LittleEndian.Uint64(z.data) << z.have
		} else {
			z.acc |= binary.BigEndian.Uint64(z.data) >> z.have
		}
		n := (63 - z.have) / 8
		z.data, z.have = z.data[n:], z.have+8*n
		return
	}
	for z.have <= 56 && len(z.data) > 0 {
		if z.old {
			z.acc |= uint64(z.data[0]) << z.have
		} else {
			z.acc |= uint64(z.data[0]) << (56 - z.have)
		}
		z.data, z.have = z.data[1:], z.have+8
	}
}

var errLZW = errors.New("LZW data have a code of no string")

func (z *lzwReader) Read(dst []byte) (n int, err error) {
	for n < len(dst) {
		if len(z.pending) == 0 {
			if z.err != nil {
				return n, z.err
			}
			z.fill()
		}
		k := copy(dst[n:], z.pending)
		z.pending = z.pending[k:]
		n += k
	}
	return n, nil
}

// fill expands codes while there is room for the longest string, and for what a short one
// is written with.
func (z *lzwReader) fill() {
	n := 0
	for n <= len(z.text)-lzwMost-lzwWord && z.err == nil {
		if !z.old && z.free > 0 {
			n = z.run(n)
		}
		if z.err = z.next(); z.err == nil {
			n += z.expand(z.text[n:], z.last)
		}
	}
	z.pending = z.text[:n]
}

// next reads a code.
func (z *lzwReader) next() error {
	c := z.code()
	begins := c == lzwClear
	for c == lzwClear {
		z.free, z.width = lzwFirst, 9
		c = z.code()
	}
	switch {
	case c == lzwEnd:
		return io.ErrUnexpectedEOF
	case z.free < 0, begins && c > lzwEnd:
		return errLZW
	case begins:
		z.last = c
		return nil
	case c > z.free || z.free >= lzwMost+lzwSlack:
		return errLZW
	}
	if z.free < lzwMost {
		z.add(z.free, z.last, c)
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
	return nil
}

// run is next and expand for as many codes as stand for strings, with the reader's state in
// variables. It ends before a code that it leaves to next, and returns the length of the text.
func (z *lzwReader) run(n int) int {
	data, acc, have, width, free, last := z.data, z.acc, z.have, uint(z.width), z.free, z.last
	for free < lzwMost && n <= len(z.text)-2*lzwMost-lzwWord {
		if have < int(width) {
			if len(data) < lzwWord {
				break
			}
			acc |= binary.BigEndian.Uint64(data) >> (have & 63)
			taken := (63 - have) / 8
			data, have = data[taken:], have+8*taken
		}
		c := int(acc >> ((64 - width) & 63))
		if c > free || uint(c-lzwClear) <= lzwEnd-lzwClear {
			break
		}
		acc <<= width & 63
		have -= int(width)
		z.add(free, last, c)
		if free++; free >= 1<<width-1 && width < 12 {
			width++
		}
		n += z.expand(z.text[n:], c)
		last = c
	}
	z.data, z.acc, z.have, z.width, z.free, z.last = data, acc, have, int(width), free, last
	return n
}

// add makes a string: the last one and the first byte of c's, which may be itself.
func (z *lzwReader) add(free, last, c int) {
	s, l := &z.strings[free&(lzwMost-1)], &z.strings[last&(lzwMost-1)]
	s.begins = l.begins
	first := byte(z.strings[c&(lzwMost-1)].begins)
	if l.length < lzwWord {
		s.begins |= uint64(first) << (8 * l.length & 63)
	}
	s.length, s.before, s.suffix = l.length+1, uint16(last), first
}

// expand writes a string and returns its length; behind a short one it writes what the
// next one covers.
func (z *lzwReader) expand(dst []byte, c int) int {
	s := &z.strings[c&(lzwMost-1)]
	n := int(s.length)
	binary.LittleEndian.PutUint64(dst, s.begins)
	if n > lzwWord {
		z.expandLong(dst, c)
	}
	return n
}

func (z *lzwReader) expandLong(dst []byte, c int) {
	for i := int(z.strings[c].length) - 1; i >= lzwWord; i-- {
		s := &z.strings[c]
		dst[i] = s.suffix
		c = int(s.before)
	}
}
