package inflate

import "math/bits"

// An entry of a table: bits 0 to 5 are how many the code takes, 8 to 12 how many extra
// ones follow it, 16 to 30 the value that they are added to, or the byte. Codes longer than
// the index of a table have their entries behind it, where an entry with more says.
const (
	literalBits, distanceBits = 11, 8
	// The most entries that complete codes of 288 and 32 symbols can take.
	literalTable, distanceTable = 2342, 402

	literal = 1 << 31
	end     = 1 << 15
	invalid = 1 << 14
	more    = 1 << 13
)

// lengthEntry and distanceEntry return the entry of a symbol, without its code (3.2.5).
func lengthEntry(symbol int) uint32 {
	switch i := symbol - 257; {
	case symbol < 256:
		return literal | uint32(symbol)<<16
	case symbol == 256:
		return end
	case i < 8:
		return uint32(3+i) << 16
	case i < 28:
		extra := i/4 - 1
		return uint32(3+(4+i%4)<<extra)<<16 | uint32(extra)<<8
	case i == 28:
		return longest << 16
	}
	return invalid
}

func distanceEntry(symbol int) uint32 {
	switch {
	case symbol < 4:
		return uint32(1+symbol) << 16
	case symbol < 30:
		extra := symbol/2 - 1
		return uint32(1+(2+symbol%2)<<extra)<<16 | uint32(extra)<<8
	}
	return invalid
}

func lengthCodeEntry(symbol int) uint32 { return uint32(symbol) << 16 }

// build fills a table of 1<<root entries, and those behind it, for codes of the lengths.
// As in zlib a code may be incomplete only where it has one symbol, or none.
func build(table []uint32, root int, lengths []uint8, single bool, entry func(symbol int) uint32) error {
	var count, next [16]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	code, longest := 0, 0
	for n := 1; n < 16; n++ {
		next[n] = code
		if code += count[n]; code > 1<<n {
			return ErrDamaged
		}
		if count[n] > 0 {
			longest = n
		}
		code <<= 1
	}
	complete := code == 1<<16
	if !complete && longest > 0 && !(single && longest == 1) {
		return ErrDamaged
	}
	if !complete {
		for i := range 1 << root {
			table[i] = invalid | 1
		}
	}
	behind := 1 << root
	var sub struct{ prefix, start, bits int }
	sub.prefix = -1
	left := count // codes that are to come, by length
	for n := 1; n <= longest; n++ {
		for symbol, l := range lengths {
			if int(l) != n {
				continue
			}
			c := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
			next[n]++
			left[n]--
			if n <= root {
				e := entry(symbol) | uint32(n)
				for i := c; i < 1<<root; i += 1 << n {
					table[i] = e
				}
				continue
			}
			if prefix := c & (1<<root - 1); prefix != sub.prefix {
				sub.prefix, sub.start, sub.bits = prefix, behind, n-root
				for free := 1<<sub.bits - left[n] - 1; free > 0; free = 2*free - left[root+sub.bits] {
					sub.bits++
				}
				behind += 1 << sub.bits
				table[prefix] = more | uint32(sub.start)<<16 | uint32(sub.bits)<<8 | uint32(root)
			}
			e := entry(symbol) | uint32(n)
			for i := c >> root; i < 1<<sub.bits; i += 1 << (n - root) {
				table[sub.start+i] = e
			}
		}
	}
	return nil
}

func (d *Reader) fixedCodes() {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	var five [32]uint8
	for i := range five {
		five[i] = 5
	}
	// Both are complete.
	_ = build(d.literals[:], literalBits, lengths[:], false, lengthEntry)
	_ = build(d.distances[:], distanceBits, five[:], false, distanceEntry)
}

// dynamicCodes reads the codes of a block (3.2.7).
func (d *Reader) dynamicCodes() error {
	v, ok := d.bits(14)
	if !ok {
		return d.err
	}
	nLit, nDist, nLen := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if nLit > 286 || nDist > 30 {
		return ErrDamaged
	}
	var order [19]uint8
	for i := range nLen {
		n, ok := d.bits(3)
		if !ok {
			return d.err
		}
		order["\x10\x11\x12\x00\x08\x07\x09\x06\x0a\x05\x0b\x04\x0c\x03\x0d\x02\x0e\x01\x0f"[i]] = uint8(n)
	}
	var table [128]uint32
	if err := build(table[:], 7, order[:], false, lengthCodeEntry); err != nil {
		return err
	}
	var lengths [286 + 30]uint8
	for i := 0; i < nLit+nDist; {
		d.refill()
		e := table[d.acc&127]
		n := int(e & 63)
		if d.n < n {
			d.refill()
		}
		if _, ok := d.bits(n); !ok {
			return d.err
		}
		if e&invalid != 0 {
			return ErrDamaged
		}
		symbol := e >> 16
		if symbol < 16 {
			lengths[i] = uint8(symbol)
			i++
			continue
		}
		var repeat uint8
		if symbol == 16 {
			if i == 0 {
				return ErrDamaged
			}
			repeat = lengths[i-1]
		}
		times, ok := d.bits([]int{2, 3, 7}[symbol-16])
		if !ok {
			return d.err
		}
		times += []uint32{3, 3, 11}[symbol-16]
		if i+int(times) > nLit+nDist {
			return ErrDamaged
		}
		for range times {
			lengths[i] = repeat
			i++
		}
	}
	if lengths[256] == 0 {
		return ErrDamaged
	}
	if err := build(d.literals[:], literalBits, lengths[:nLit], true, lengthEntry); err != nil {
		return err
	}
	return build(d.distances[:], distanceBits, lengths[nLit:nLit+nDist], true, distanceEntry)
}
