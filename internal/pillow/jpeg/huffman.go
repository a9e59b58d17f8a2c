package jpeg

import (
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
	largest byte // symbol
	pairs   *[1 << pairBits]pair
	err     error
}

var errTableCut = errors.New("huffman table is cut off")

// huffmanTables reads a DHT segment (B.2.4.2).
func (d *decoder) huffmanTables(body []byte) error {
	for len(body) > 0 {
		if len(body) < 17 {
			return errTableCut
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
			t = &huffman{err: err} // which matters where it is used
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
	for _, s := range symbols {
		t.largest = max(t.largest, s)
	}
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

// standardTables sets the tables that annex K suggests where the file has none:
// frames of Motion JPEG leave them out.
func (d *decoder) standardTables() {
	for i := range 2 {
		if d.dc[i] == nil {
			d.dc[i] = standardTable(standardDC[i], "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b")
		}
		if d.ac[i] == nil {
			d.ac[i] = standardTable(standardAC[i].counts, standardAC[i].symbols)
		}
	}
}

func standardTable(counts, symbols string) *huffman {
	t, err := newHuffman([]byte(counts), []byte(symbols))
	if err != nil {
		panic(err)
	}
	return t
}

// standardDC are the numbers of codes of each length of tables K.3 and K.4.
var standardDC = [2]string{
	"\x00\x01\x05\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00",
	"\x00\x03\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00",
}

// standardAC are tables K.5 and K.6.
var standardAC = [2]struct{ counts, symbols string }{{
	"\x00\x02\x01\x03\x03\x02\x04\x03\x05\x05\x04\x04\x00\x00\x01\x7d", "\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08\x23\x42\xb1" +
		"\xc1\x15\x52\xd1\xf0\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28\x29\x2a\x34\x35\x36\x37" +
		"\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a" +
		"\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3" +
		"\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3" +
		"\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa",
}, {
	"\x00\x02\x01\x02\x04\x04\x03\x04\x07\x05\x04\x04\x00\x01\x02\x77", "\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91\xa1\xb1\xc1" +
		"\x09\x23\x33\x52\xf0\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26\x27\x28\x29\x2a\x35\x36" +
		"\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69" +
		"\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a" +
		"\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca" +
		"\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa",
}}
