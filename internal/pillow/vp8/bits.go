package vp8

import "encoding/binary"

// boolReader decodes arithmetic-coded bits (chapter 7). The upper eight bits of value are compared
// with a part of the range; n more are known, and with n negative more bytes are wanted. Where
// data have ended zeroes follow.
type boolReader struct {
	data  []byte
	pos   int
	value uint64
	rng   uint32 // less 1, 127 to 254
	n     int
	eof   bool // more was asked for than there is
}

func newBoolReader(data []byte) *boolReader { return &boolReader{data: data, rng: 254, n: -8} }

// fill brings n to 49 or more, as far as there are data. Bits beyond n that it leaves in value
// are those that the next call finds again.
func (b *boolReader) fill() {
	if b.pos+8 <= len(b.data) {
		b.value |= binary.BigEndian.Uint64(b.data[b.pos:]) >> ((b.n + 8) & 63)
		k := (56 - b.n) >> 3 // bytes
		b.pos += k
		b.n += 8 * k
		return
	}
	for b.n < 49 && b.pos < len(b.data) {
		b.value |= uint64(b.data[b.pos]) << ((48 - b.n) & 63)
		b.pos++
		b.n += 8
	}
}

// bit returns the next bit, which is 0 with a probability of prob in 256.
func (b *boolReader) bit(prob uint8) bool {
	if b.n < 0 {
		if b.fill(); b.n < 0 {
			b.n, b.eof = 0, true
		}
	}
	var one uint32
	b.value, b.rng, b.n, one = next(b.value, b.rng, b.n, prob)
	return one != 0
}

// next decodes a bit, and makes it all ones or 0. A branch would be foreseen wrongly as often
// as not.
func next(value uint64, rng uint32, n int, prob uint8) (uint64, uint32, int, uint32) {
	split := rng * uint32(prob) >> 8
	one := uint32(int32(split-uint32(value>>56)) >> 31)
	value -= uint64((split+1)&one) << 56
	at := uint8((rng-split)&one | (split+1)&^one)
	return value << (shifts[at] & 63), uint32(ranges[at]), n - int(shifts[at]), one
}

// after0 is a reader's state behind a 0, after1 behind a 1.
func after0(value uint64, split uint32, n int) (uint64, uint32, int) {
	at := uint8(split + 1)
	return value << (shifts[at] & 63), uint32(ranges[at]), n - int(shifts[at])
}

func after1(value uint64, rng, split uint32, n int) (uint64, uint32, int) {
	at := uint8(rng - split)
	return (value - uint64(split+1)<<56) << (shifts[at] & 63), uint32(ranges[at]), n - int(shifts[at])
}

func (b *boolReader) flag() bool { return b.bit(128) }

// number returns an unsigned number of so many bits.
func (b *boolReader) number(bits int) (v int) {
	for range bits {
		if v <<= 1; b.flag() {
			v |= 1
		}
	}
	return v
}

// optional returns a number with its sign behind it, or otherwise where a flag says that
// there is none.
func (b *boolReader) optional(bits, otherwise int) int {
	if !b.flag() {
		return otherwise
	}
	v := b.number(bits)
	if b.flag() {
		v = -v
	}
	return v
}

const zigzag = "\x00\x01\x04\x08\x05\x02\x03\x06\x09\x0c\x0d\x0a\x07\x0b\x0e\x0f"

// probabilities are those of a kind of block, by a coefficient's place in the file's order and by
// context; behind the last one nothing is read.
type probabilities [17][3][11]uint8

// How coefficientsBMI2 ends: with a block, or where what follows is not for it: a coefficient
// of more than 10, or data too near their end, before any coefficient, before one where there
// are more, or before how large it is.
const (
	stateDone = iota
	stateLarger
	stateAny
	stateRun
	stateLarge
)

// block reads the coefficients of a block, from the first one on, and multiplies them with
// their steps. It returns how many there are up to the last that is not zero.
func (b *boolReader) block(probs *probabilities, context, first int, steps *[2]int32, out *[16]int16) int {
	if !hasBMI2 {
		return b.blockGo(probs, context, first, steps, out)
	}
	p, i := &probs[first][context], first
	for i < 16 {
		var state int
		p, i, state = coefficientsBMI2(b, probs, p, i, steps, out)
		var v int32
		switch state {
		case stateLarger:
			v = b.larger(p)
		case stateAny:
			return b.lastBlock(probs, p, i, steps, out)
		case stateRun:
			return b.zeroes(probs, p, i, steps, out)
		case stateLarge:
			v = b.large(p)
		default:
			return i
		}
		b.put(v, i, steps, out)
		i++
		p = &probs[i][2]
	}
	return i
}

// blockGo is what block does. The reader's state is held in variables while there are
// enough bits.
func (b *boolReader) blockGo(probs *probabilities, context, first int, steps *[2]int32, out *[16]int16) int {
	value, rng, n := b.value, b.rng, b.n
	p := &probs[first][context]
	i := first
	for i < 16 {
		if n < 21 {
			b.value, b.rng, b.n = value, rng, n
			if b.fill(); b.n < 21 {
				return b.lastBlock(probs, p, i, steps, out)
			}
			value, n = b.value, b.n
		}
		split := rng * uint32(p[0]) >> 8
		if uint32(value>>56) <= split { // no more
			value, rng, n = after0(value, split, n)
			break
		}
		value, rng, n = after1(value, rng, split, n)
		for {
			split = rng * uint32(p[1]) >> 8
			if uint32(value>>56) > split {
				break
			}
			value, rng, n = after0(value, split, n)
			i++
			if i == 16 {
				b.value, b.rng, b.n = value, rng, n
				return 16
			}
			p = &probs[i][0]
			if n < 14 {
				b.value, b.rng, b.n = value, rng, n
				if b.fill(); b.n < 14 {
					return b.zeroes(probs, p, i, steps, out)
				}
				value, n = b.value, b.n
			}
		}
		value, rng, n = after1(value, rng, split, n)

		v, after := int32(1), 1
		split = rng * uint32(p[2]) >> 8
		if uint32(value>>56) <= split {
			value, rng, n = after0(value, split, n)
		} else {
			b.value, b.rng, b.n = after1(value, rng, split, n)
			v, after = b.large(p), 2
			if b.n < 0 {
				if b.fill(); b.n < 0 {
					b.put(v, i, steps, out)
					i++
					return b.lastBlock(probs, &probs[i][after], i, steps, out)
				}
			}
			value, rng, n = b.value, b.rng, b.n
		}
		var minus uint32
		value, rng, n, minus = next(value, rng, n, 128)
		v = (v ^ int32(minus)) - int32(minus)
		out[zigzag[i]&15] = int16(v * steps[min(i, 1)])
		i++
		p = &probs[i][after]
	}
	b.value, b.rng, b.n = value, rng, n
	return i
}

// lastBlock is block near the end of the data, from coefficient i on.
func (b *boolReader) lastBlock(probs *probabilities, p *[11]uint8, i int, steps *[2]int32, out *[16]int16) int {
	if i == 16 || !b.bit(p[0]) {
		return i
	}
	return b.zeroes(probs, p, i, steps, out)
}

// zeroes goes on where the block is known to have more coefficients.
func (b *boolReader) zeroes(probs *probabilities, p *[11]uint8, i int, steps *[2]int32, out *[16]int16) int {
	for {
		for !b.bit(p[1]) {
			if i++; i == 16 {
				return 16
			}
			p = &probs[i][0]
		}
		v, next := int32(1), 1
		if b.bit(p[2]) {
			v, next = b.large(p), 2
		}
		b.put(v, i, steps, out)
		i++
		if p = &probs[i][next]; i == 16 || !b.bit(p[0]) {
			return i
		}
	}
}

// put reads a coefficient's sign and enters it.
func (b *boolReader) put(v int32, i int, steps *[2]int32, out *[16]int16) {
	if b.flag() {
		v = -v
	}
	out[zigzag[i]&15] = int16(v * steps[min(i, 1)])
}

// large reads a coefficient of more than 1 (13.2).
func (b *boolReader) large(p *[11]uint8) (v int32) {
	if b.n < 28 {
		if b.fill(); b.n < 28 {
			return b.largeAtEnd(p)
		}
	}
	value, rng, n := b.value, b.rng, b.n
	var one, two uint32
	split := rng * uint32(p[3]) >> 8
	if uint32(value>>56) <= split {
		value, rng, n = after0(value, split, n)
		split = rng * uint32(p[4]) >> 8
		if uint32(value>>56) <= split {
			b.value, b.rng, b.n = after0(value, split, n)
			return 2
		}
		value, rng, n = after1(value, rng, split, n)
		b.value, b.rng, b.n, one = next(value, rng, n, p[5])
		return 3 + int32(one&1)
	}
	value, rng, n = after1(value, rng, split, n)
	split = rng * uint32(p[6]) >> 8
	if uint32(value>>56) > split {
		b.value, b.rng, b.n = after1(value, rng, split, n)
		return b.larger(p)
	}
	value, rng, n = after0(value, split, n)
	split = rng * uint32(p[7]) >> 8
	if uint32(value>>56) <= split {
		value, rng, n = after0(value, split, n)
		b.value, b.rng, b.n, one = next(value, rng, n, 159)
		return 5 + int32(one&1)
	}
	value, rng, n = after1(value, rng, split, n)
	value, rng, n, two = next(value, rng, n, 165)
	b.value, b.rng, b.n, one = next(value, rng, n, 145)
	return 7 + int32(two&2+one&1)
}

// largeAtEnd is large near the end of the data.
func (b *boolReader) largeAtEnd(p *[11]uint8) int32 {
	if !b.bit(p[3]) {
		if !b.bit(p[4]) {
			return 2
		}
		return 3 + b.extra(string(p[5:6]))
	}
	if b.bit(p[6]) {
		return b.larger(p)
	}
	if !b.bit(p[7]) {
		return 5 + b.extra("\x9f")
	}
	return 7 + b.extra("\xa5\x91")
}

// larger reads one of more than 10.
func (b *boolReader) larger(p *[11]uint8) int32 {
	if !b.bit(p[8]) {
		if !b.bit(p[9]) {
			return 11 + b.extra("\xad\x94\x8c")
		}
		return 19 + b.extra("\xb0\x9b\x8c\x87")
	}
	if !b.bit(p[10]) {
		return 35 + b.extra("\xb4\x9d\x8d\x86\x82")
	}
	return 67 + b.extra("\xfe\xfe\xf3\xe6\xc4\xb1\x99\x8c\x85\x82\x81")
}

// extra reads a number whose bits have these probabilities.
func (b *boolReader) extra(probs string) (v int32) {
	for i := range len(probs) {
		v <<= 1
		if b.bit(probs[i]) {
			v |= 1
		}
	}
	return v
}
