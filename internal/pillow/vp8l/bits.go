package vp8l

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// reader reads bits, the lowest of a byte first. Behind the data are zeros.
type reader struct {
	data []byte
	pos  int
	acc  uint64
	n    uint // bits in acc
	void uint // bits of it that are behind the data
}

// fill leaves at least 56 bits.
func (r *reader) fill() {
	if r.pos+8 <= len(r.data) {
		r.acc |= binary.LittleEndian.Uint64(r.data[r.pos:]) << r.n
		r.pos += int((63 - r.n) >> 3)
		r.n |= 56
		return
	}
	for r.n < 56 {
		if r.pos < len(r.data) {
			r.acc |= uint64(r.data[r.pos]) << r.n
			r.pos++
		} else {
			r.void += 8
		}
		r.n += 8
	}
}

// ended reports whether more bits were taken than there are. Of less than 8 bytes libwebp
// takes 8.
func (r *reader) ended() bool {
	return r.void > r.n && r.void-r.n > uint(8*max(8-len(r.data), 0))
}

// take returns n bits, at most 32, that fill has left.
func (r *reader) take(n uint) int {
	v := r.acc & (1<<n - 1)
	r.acc >>= n
	r.n -= n
	return int(v)
}

// bits returns n bits, at most 32.
func (r *reader) bits(n int) int {
	r.fill()
	return r.take(uint(n))
}

// table decodes a prefix code. An entry has a symbol above four bits of its length. The
// first 1<<rootBits entries, or fewer where codes are shorter, are for a code's first bits; of
// longer ones they have where a second table begins, with its bits and rootBits in the length.
type table []uint16

const (
	rootBits = 8
	maxBits  = 15
)

// symbol decodes a symbol of at most 15 bits, which fill has left.
func (r *reader) symbol(t table) uint32 {
	if len(t) == 1 {
		return uint32(t[0] >> 4)
	}
	e := t[r.acc&uint64(min(len(t), 1<<rootBits)-1)]
	n := uint(e & 15)
	if n > rootBits {
		at := uint(e>>4) + uint(r.acc>>rootBits)&(1<<(n-rootBits)-1)
		e = t[at]
		n = uint(e & 15)
	}
	r.acc >>= n
	r.n -= n
	return uint32(e >> 4)
}

var errCode = errors.New("a prefix code that is none")

// code reads a prefix code of so many symbols as there are sizes (6.2.1); t is made if wanted.
func (d *decoder) code(t *table, sizes []uint8, wanted bool) error {
	clear(sizes)
	if d.bits(1) != 0 {
		two := d.bits(1) != 0
		first := d.bits(1 + 7*d.bits(1))
		second := first
		if two {
			second = d.bits(8)
		}
		for _, s := range []int{first, second} {
			if s < len(sizes) {
				sizes[s] = 1
			}
		}
	} else if err := d.sizes(sizes); err != nil {
		return err
	}
	if d.ended() {
		return errEnd
	}
	return t.build(sizes, wanted)
}

// sizes reads the lengths of codes, which are coded themselves (6.2.1.2).
func (d *decoder) sizes(sizes []uint8) error {
	order := [19]uint8{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	var own [19]uint8
	for i := range 4 + d.bits(4) {
		own[order[i]] = uint8(d.bits(3))
	}
	var t table
	if err := t.build(own[:], true); err != nil {
		return err
	}
	left := len(sizes)
	if d.bits(1) != 0 {
		n := 2 + 2*d.bits(3)
		if left = 2 + d.bits(n); left > len(sizes) {
			return fmt.Errorf("%d lengths of codes, want at most %d", left, len(sizes))
		}
	}
	last := uint8(8)
	for i := 0; i < len(sizes) && left > 0; left-- {
		d.fill()
		s := d.symbol(t)
		if s < 16 {
			if sizes[i] = uint8(s); s != 0 {
				last = uint8(s)
			}
			i++
			continue
		}
		n := 3 + d.take([3]uint{2, 3, 7}[s-16])
		if s == 18 {
			n += 8
		}
		if n > len(sizes)-i {
			return errCode
		}
		if s == 16 {
			for j := range n {
				sizes[i+j] = last
			}
		}
		i += n
	}
	return nil
}

// build makes the table of codes of the given lengths, which must be complete, or one.
func (t *table) build(sizes []uint8, wanted bool) error {
	var count, next [maxBits + 2]int
	longest, only := 0, 0
	for i, n := range sizes {
		if count[n]++; n > 0 {
			longest, only = max(longest, int(n)), i
		}
	}
	if count[0] == len(sizes) {
		return errCode
	}
	if count[0] == len(sizes)-1 {
		*t = table{uint16(only) << 4}
		return nil
	}
	count[0] = 0
	open := 1 // codes of the length that are free
	for n := 1; n <= maxBits; n++ {
		next[n+1] = (next[n] + count[n]) << 1
		if open = open<<1 - count[n]; open < 0 {
			return errCode
		}
	}
	if open != 0 {
		return errCode
	}
	if !wanted {
		return nil
	}
	root := min(longest, rootBits)
	// How long the codes are that begin with each root.
	var deep [1 << rootBits]uint8
	at := next
	size := 1 << root
	for _, n := range sizes {
		if n > rootBits {
			code := reversed(at[n], int(n)) & (1<<rootBits - 1)
			deep[code] = max(deep[code], n)
		}
		if n > 0 {
			at[n]++
		}
	}
	var begin [1 << rootBits]int
	for i, n := range deep {
		if n > 0 {
			begin[i] = size
			size += 1 << (n - rootBits)
		}
	}
	*t = make(table, size)
	for i, n := range deep {
		if n > 0 {
			(*t)[i] = uint16(begin[i])<<4 | uint16(n)
		}
	}
	for i, n := range sizes {
		if n == 0 {
			continue
		}
		code := reversed(next[n], int(n))
		next[n]++
		e := uint16(i)<<4 | uint16(n)
		if n <= rootBits {
			for ; code < 1<<root; code += 1 << n {
				(*t)[code] = e
			}
			continue
		}
		first := code & (1<<rootBits - 1)
		for code >>= rootBits; code < 1<<(deep[first]-rootBits); code += 1 << (n - rootBits) {
			(*t)[begin[first]+code] = e
		}
	}
	return nil
}

func reversed(code, n int) int { return int(bits.Reverse16(uint16(code)) >> (16 - n)) }
