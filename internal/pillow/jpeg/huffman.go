package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// lookBits is the length of the codes, with the bits that follow them, that
// are decoded by one look into a table.
const lookBits = 10

// huffman is a table of codes (annex C) prepared for decoding.
type huffman struct {
	// look is indexed by the next lookBits bits. The low byte of an entry is
	// the number of bits to take, 0 where the code is longer; the next byte is
	// the symbol.
	look [1 << lookBits]uint16

	// coef is the same for AC coefficients, where code and value together are
	// short enough: bits 0–7 the bits of both, 8–15 the run of zeroes, 16–31
	// the value, which is never 0. Otherwise it is look's entry.
	coef [1 << lookBits]uint32

	// Longer codes, by length: the last code, left-aligned in 16 bits and with
	// ones behind it, or −1, and what to add to a code for its index in symbols.
	last    [17]int32
	delta   [17]int32
	symbols []byte
}

// huffmanTables reads a DHT segment (B.2.4.2).
func (d *decoder) huffmanTables(body []byte) error {
	for len(body) > 0 {
		if len(body) < 17 {
			return errTruncated
		}
		class, id := body[0]>>4, body[0]&15
		if class > 1 || id > 3 {
			return fmt.Errorf("huffman table of class %d, number %d", class, id)
		}
		n := 0
		for _, c := range body[1:17] {
			n += int(c)
		}
		if n > 256 || len(body) < 17+n {
			return fmt.Errorf("huffman table of %d codes in %d bytes", n, len(body))
		}
		t, err := newHuffman(body[1:17], body[17:17+n])
		if err != nil {
			return err
		}
		if class == 0 {
			d.dc[id] = t
		} else {
			d.ac[id] = t
		}
		body = body[17+n:]
	}
	return nil
}

func newHuffman(counts, symbols []byte) (*huffman, error) {
	t := &huffman{symbols: append([]byte(nil), symbols...)}
	code, k := int32(0), 0
	for n := 1; n <= 16; n++ {
		t.last[n] = -1
		t.delta[n] = int32(k) - code
		for range counts[n-1] {
			if code >= 1<<n {
				return nil, errors.New("huffman table has more codes than fit")
			}
			if n <= lookBits {
				t.fill(code, n, symbols[k])
			}
			code, k = code+1, k+1
		}
		if counts[n-1] > 0 {
			t.last[n] = code<<(16-n) - 1
		}
		code <<= 1
	}
	t.shorten()
	return t, nil
}

// fill enters a code of n bits.
func (t *huffman) fill(code int32, n int, symbol byte) {
	from := code << (lookBits - n)
	for i := range int32(1) << (lookBits - n) {
		t.look[from+i] = uint16(symbol)<<8 | uint16(n)
	}
}

// shorten fills coef.
func (t *huffman) shorten() {
	for i, e := range t.look {
		n, run, size := int(e&0xff), uint32(e>>12), int(e>>8&15)
		t.coef[i] = uint32(e)
		if n == 0 || size == 0 || n+size > lookBits {
			continue
		}
		bits := i >> (lookBits - n - size) & (1<<size - 1)
		t.coef[i] = uint32(n+size) | run<<8 | uint32(extend(int32(bits), size))<<16
	}
}

// extend turns size bits into the signed value they stand for (F.2.2.1).
func extend(bits int32, size int) int32 {
	if bits < 1<<size>>1 {
		return bits - 1<<size + 1
	}
	return bits
}

// bitReader takes bits from entropy-coded data, in which 0xff is followed by 0
// unless it begins a marker. Behind the data it gives zeroes; n is then
// negative, which is to be checked now and then.
type bitReader struct {
	data []byte
	pos  int
	acc  uint64 // the next bit is the highest
	n    int    // bits of acc that were read
	end  bool   // at a marker or at the end of the file
}

// refill brings n to 56 or more, unless the data ends.
func (b *bitReader) refill() {
	if b.n < 0 {
		return
	}
	if b.pos+8 <= len(b.data) {
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
	for b.n <= 56 && !b.end {
		if b.pos >= len(b.data) {
			b.end = true
			return
		}
		c := b.data[b.pos]
		if c == 0xff {
			if b.pos+1 >= len(b.data) || b.data[b.pos+1] != 0 {
				b.end = true
				return
			}
			b.pos++
		}
		b.pos++
		b.acc |= uint64(c) << (56 - b.n)
		b.n += 8
	}
}

// ensure makes n at least 32, unless the data ends.
func (b *bitReader) ensure() {
	if b.n < 32 {
		b.refill()
	}
}

// take returns the next n bits, 1 to 16. ensure must have been called since
// the last 32 bits.
func (b *bitReader) take(n int) int32 {
	v := int32(b.acc >> (64 - n))
	b.acc <<= n
	b.n -= n
	return v
}

// symbol returns the next Huffman-coded symbol, or −1 where no code fits.
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
	return -1
}

// restart moves to the data behind a restart marker, which must be the next
// but for up to 7 bits of padding.
func (b *bitReader) restart(want byte) error {
	left := b.n
	b.acc, b.n = 0, 0
	b.refillSlow()
	if left >= 8 || b.n > 0 {
		return errors.New("data where a restart marker was due")
	}
	for b.pos+1 < len(b.data) && b.data[b.pos+1] == 0xff {
		b.pos++
	}
	if b.pos+1 >= len(b.data) {
		return errTruncated
	}
	if got := b.data[b.pos+1]; got != want {
		return fmt.Errorf("marker %#x where restart marker %#x was due", got, want)
	}
	b.pos += 2
	b.end = false
	return nil
}
