package jpeg

import "encoding/binary"

// bitReader takes bits from entropy-coded data, in which 0xff is followed by 0
// unless it begins a marker. Behind the data it gives zeroes; n is then
// negative, which is to be checked now and then.
type bitReader struct {
	data   []byte
	pos    int
	acc    uint64 // the next bit is the highest
	n      int    // bits of acc that were read
	marker byte   // that ended the data, and was read
	eof    bool   // the file ends without one
	cut    bool   // bits were wanted that may lie beyond the file's end
}

// refill brings n to 56 or more, unless the data ends.
func (b *bitReader) refill() {
	if b.n < 0 {
		return
	}
	if b.pos+8 <= len(b.data) && b.marker == 0 {
		v := binary.BigEndian.Uint64(b.data[b.pos:])
		if !hasFF(v) {
			b.acc |= v >> (b.n & 63)
			b.pos += (63 - b.n) >> 3
			b.n |= 56
			return
		}
	}
	b.refillSlow()
}

// hasFF reports whether one of v's bytes is 0xff.
func hasFF(v uint64) bool {
	return (^v-0x0101010101010101)&v&0x8080808080808080 != 0
}

func (b *bitReader) refillSlow() {
	b.acc &= ^(^uint64(0) >> b.n) // forget the bits that refill looked ahead
	for b.n <= 56 && b.marker == 0 && !b.eof {
		if b.pos >= len(b.data) {
			b.eof = true
			return
		}
		c := b.data[b.pos]
		b.pos++
		if c == 0xff {
			next, ok := b.afterFF()
			if !ok {
				b.eof = true
				return
			}
			if next != 0 {
				b.marker = next
				return
			}
		}
		b.acc |= uint64(c) << (56 - b.n)
		b.n += 8
	}
}

// afterFF takes what follows one or more bytes 0xff.
func (b *bitReader) afterFF() (c byte, ok bool) {
	for b.pos < len(b.data) {
		c = b.data[b.pos]
		b.pos++
		if c != 0xff {
			return c, true
		}
	}
	return 0, false
}

// nextMarker skips to the next marker and reads it; false where there is none.
func (b *bitReader) nextMarker() bool {
	for b.pos < len(b.data) {
		b.pos++
		if b.data[b.pos-1] != 0xff {
			continue
		}
		if c, ok := b.afterFF(); ok && c != 0 {
			b.marker = c
			return true
		}
	}
	b.eof = true
	return false
}

// ensure makes n at least 32, unless the data ends. As in libjpeg a symbol is
// not looked for in less than 8 bits where the file just stops.
func (b *bitReader) ensure() {
	if b.n < 32 {
		b.refill()
		b.cut = b.cut || b.eof && b.n < 8
	}
}

// missed reports whether bits have been taken that the file lacks.
func (b *bitReader) missed() bool { return b.cut || b.eof && b.n < 0 }

// take returns the next n bits, 1 to 16. ensure must have been called since
// the last 32 bits.
func (b *bitReader) take(n int) int32 {
	v := int32(b.acc >> (64 - n))
	b.acc <<= n
	b.n -= n
	return v
}

// symbol returns the next Huffman-coded symbol. Bits that are no code count as
// symbol 0, as in libjpeg.
func (b *bitReader) symbol(t *huffman) int {
	if e := t.look[b.acc>>(64-lookBits)]; e != 0 {
		b.acc <<= e & 63
		b.n -= int(e & 0xff)
		return int(e >> 8)
	}
	return b.longSymbol(t)
}

func (b *bitReader) longSymbol(t *huffman) int {
	next := int32(b.acc >> 48)
	for n := lookBits + 1; n <= 16; n++ {
		if next <= t.last[n] {
			b.acc <<= n
			b.n -= n
			return int(t.symbols[next>>(16-n)+t.delta[n]])
		}
	}
	const longest = 16 + 1
	b.acc <<= longest
	b.n -= longest
	return 0
}

// restart moves behind the restart marker that is due. Where another marker is
// in its place, it guesses as libjpeg's jpeg_resync_to_restart what is missing:
// a marker that may be a later one is left, and the segment is taken for empty.
// False means that the file ends.
func (b *bitReader) restart(want byte) bool {
	b.acc, b.n = 0, 0
	for {
		if b.marker == 0 && !b.nextMarker() {
			return false
		}
		ahead := (b.marker - want) & 7 // of the one that is due
		switch m := b.marker; {
		case m < markSOF0:
		case m < markRST0 || m > markRST7 || ahead == 1 || ahead == 2:
			return true
		case ahead != 6 && ahead != 7:
			b.marker = 0
			return true
		}
		b.marker = 0 // invalid, or of before
	}
}
