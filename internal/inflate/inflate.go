// Package inflate reads streams of deflate (RFC 1951) that lie in memory, in pieces, as
// the pixels of a PNG do. It is two to three times as fast as compress/flate, which takes
// a byte at a time from a reader. What is damaged ends where zlib ends it: whatever was
// decoded before can be read.
package inflate

import (
	"encoding/binary"
	"errors"
	"io"
)

// ErrDamaged is about bits that mean nothing.
var ErrDamaged = errors.New("the deflate stream is damaged")

const (
	window  = 1 << 15         // how far back a match may reach
	longest = 258             // match
	room    = window + 1<<16  // what is decoded before the last window is moved to the front
	slack   = longest + 3 + 8 // a round of the loop writes that much at most
)

// Reader decodes one stream. It is used by one goroutine at a time.
type Reader struct {
	next func() []byte // the piece that follows, nil at the end
	in   []byte        // the piece that is read
	pos  int           // in it
	acc  uint64        // bits that come next, the lowest first; none above n are set
	n    int           // how many

	out  [room + slack]byte
	r, w int // what was decoded and not read yet is out[r:w]

	coded, last bool
	stored      int // bytes that are left of a stored block
	err         error

	literals  [literalTable]uint32
	distances [distanceTable]uint32
}

// New returns a Reader of the pieces that next returns, one after another.
func New(next func() []byte) *Reader { return &Reader{next: next} }

// Read fills p. At the end of the stream it returns io.EOF, where data are missing
// io.ErrUnexpectedEOF, and how many bytes there were before.
func (d *Reader) Read(p []byte) (int, error) {
	done := 0
	for {
		n := copy(p[done:], d.out[d.r:d.w])
		d.r += n
		if done += n; done == len(p) {
			return done, nil
		}
		if d.err != nil {
			return done, d.err
		}
		d.decode()
	}
}

// End makes the Reader take what is left of the piece in which the byte that was read
// last lies for the end of the data.
func (d *Reader) End() {
	d.next = func() []byte { return nil }
	if before := d.n - 8*d.pos; before >= 0 && d.in != nil { // bits of the piece before are left
		d.n, d.in, d.pos = before, nil, 0
		d.acc &= 1<<d.n - 1
	}
}

// Trailer returns the four bytes behind a stream that has ended; false where fewer follow.
func (d *Reader) Trailer() (sum uint32, ok bool) {
	d.take(d.n & 7)
	for range 4 {
		b, ok := d.bits(8)
		if !ok {
			return 0, false
		}
		sum = sum<<8 | b
	}
	return sum, true
}

// decode fills the buffer, or sets the error where the stream ends.
func (d *Reader) decode() {
	if d.w >= room {
		copy(d.out[:window], d.out[d.w-window:d.w])
		d.r, d.w = window-(d.w-d.r), window
	}
	for d.w < room && d.err == nil {
		switch {
		case d.stored > 0:
			d.copyStored()
		case d.coded:
			d.block()
		case d.last:
			d.err = io.EOF
		default:
			d.header()
		}
	}
}

// refill brings n to 56 or more, unless the data end.
func (d *Reader) refill() {
	if d.pos+8 <= len(d.in) {
		d.acc |= binary.LittleEndian.Uint64(d.in[d.pos:]) << d.n
		d.pos += (63 - d.n) >> 3
		d.n |= 56
		d.acc &= 1<<d.n - 1
		return
	}
	for d.n <= 56 {
		for d.pos == len(d.in) {
			if d.in = d.next(); d.in == nil {
				d.pos = 0
				return
			}
			d.pos = 0
		}
		d.acc |= uint64(d.in[d.pos]) << d.n
		d.pos++
		d.n += 8
	}
}

func (d *Reader) take(n int) uint32 {
	v := uint32(d.acc) & (1<<n - 1)
	d.acc >>= n
	d.n -= n
	return v
}

// bits returns the next n bits; false, and the error set, where they are missing.
func (d *Reader) bits(n int) (uint32, bool) {
	if d.n < n {
		if d.refill(); d.n < n {
			d.err = io.ErrUnexpectedEOF
			return 0, false
		}
	}
	return d.take(n), true
}

// header begins a block.
func (d *Reader) header() {
	v, ok := d.bits(3)
	if !ok {
		return
	}
	d.last = v&1 != 0
	switch v >> 1 {
	case 0:
		d.take(d.n & 7)
		n, _ := d.bits(16)
		inverse, ok := d.bits(16)
		if ok && n != ^inverse&0xffff {
			d.err = ErrDamaged
		}
		if d.err == nil {
			d.stored = int(n)
		}
	case 1:
		d.fixedCodes()
		d.coded = true
	case 2:
		d.err = d.dynamicCodes()
		d.coded = d.err == nil
	default:
		d.err = ErrDamaged
	}
}

func (d *Reader) copyStored() {
	for d.n >= 8 && d.stored > 0 && d.w < room {
		d.out[d.w] = byte(d.take(8))
		d.w, d.stored = d.w+1, d.stored-1
	}
	n := copy(d.out[d.w:min(room, d.w+d.stored)], d.in[d.pos:])
	d.pos, d.w, d.stored = d.pos+n, d.w+n, d.stored-n
	if n == 0 && d.stored > 0 && d.w < room {
		if d.refill(); d.n < 8 {
			d.err = io.ErrUnexpectedEOF
		}
	}
}

// block decodes symbols until the block ends or the buffer is full. The reader's state is
// held in variables, which the compiler keeps in registers.
func (d *Reader) block() {
	acc, n, w, out := d.acc, d.n, d.w, &d.out
	for w < room {
		if d.pos+8 <= len(d.in) {
			acc |= binary.LittleEndian.Uint64(d.in[d.pos:]) << (n & 63)
			d.pos += (63 - n) >> 3
			n |= 56
		} else {
			d.acc, d.n, d.w = acc&(1<<n-1), n, w
			if d.refill(); d.n < 48 {
				if d.symbol(); !d.coded || d.err != nil {
					return
				}
				acc, n, w = d.acc, d.n, d.w
				continue
			}
			acc, n = d.acc, d.n
		}
		// 48 bits are enough for a match's 20 and 28, or for three literals.
		e := d.literals[acc&(1<<literalBits-1)]
		for left := 3; e&literal != 0; {
			acc >>= e & 63
			n -= int(e & 63)
			out[w] = byte(e >> 16)
			w++
			if left--; left == 0 {
				break
			}
			e = d.literals[acc&(1<<literalBits-1)]
		}
		if e&literal != 0 || n < 48 {
			continue
		}
		if e&more != 0 {
			e = d.literals[(e>>16+uint32(acc>>literalBits)&(1<<(e>>8&15)-1))%literalTable]
		}
		acc >>= e & 63
		n -= int(e & 63)
		if e&literal != 0 {
			out[w] = byte(e >> 16)
			w++
			continue
		}
		if e&(end|invalid) != 0 {
			d.stop(e)
			break
		}
		extra := e >> 8 & 15
		length := int(e>>16) + int(acc&(1<<extra-1))
		acc >>= extra
		n -= int(extra)

		e = d.distances[acc&(1<<distanceBits-1)]
		if e&more != 0 {
			e = d.distances[(e>>16+uint32(acc>>distanceBits)&(1<<(e>>8&15)-1))%distanceTable]
		}
		acc >>= e & 63
		n -= int(e & 63)
		extra = e >> 8 & 15
		distance := int(e>>16) + int(acc&(1<<extra-1))
		acc >>= extra
		n -= int(extra)
		if e&invalid != 0 || distance > w {
			d.err = ErrDamaged
			break
		}
		w = match(out, w, distance, length)
	}
	d.acc, d.n, d.w = acc&(1<<n-1), n, w
}

// stop is for a symbol that is neither a byte nor a match.
func (d *Reader) stop(e uint32) {
	if e&invalid != 0 {
		d.err = ErrDamaged
	}
	d.coded = false
}

// symbol decodes one symbol where the data may end within it.
func (d *Reader) symbol() {
	e, ok := d.lookUp(d.literals[:], literalBits)
	switch {
	case !ok:
	case e&literal != 0:
		d.out[d.w] = byte(e >> 16)
		d.w++
	case e&(end|invalid) != 0:
		d.stop(e)
	default:
		length, _ := d.bits(int(e >> 8 & 15))
		length += e >> 16
		if e, ok = d.lookUp(d.distances[:], distanceBits); !ok {
			return
		}
		distance, ok := d.bits(int(e >> 8 & 15))
		if distance += e >> 16; !ok {
			return
		}
		if e&invalid != 0 || int(distance) > d.w {
			d.err = ErrDamaged
			return
		}
		d.w = match(&d.out, d.w, int(distance), int(length))
	}
}

// lookUp takes a code; false where its bits are missing.
func (d *Reader) lookUp(table []uint32, root int) (e uint32, ok bool) {
	e = table[d.acc&(1<<root-1)]
	if e&more != 0 {
		e = table[e>>16+uint32(d.acc>>root)&(1<<(e>>8&15)-1)]
	}
	_, ok = d.bits(int(e & 63))
	return e, ok && d.err == nil
}

// match repeats what is distance bytes back. It may write up to 7 bytes more.
func match(out *[room + slack]byte, w, distance, length int) int {
	end := w + length
	switch {
	case distance >= 8:
		for ; w < end; w += 8 {
			*(*[8]byte)(out[w:]) = [8]byte(out[w-distance:])
		}
	case distance == 1:
		v := uint64(out[w-1]) * 0x0101010101010101
		for ; w < end; w += 8 {
			binary.LittleEndian.PutUint64(out[w:], v)
		}
	default:
		for ; w < end; w++ {
			out[w] = out[w-distance]
		}
	}
	return end
}
