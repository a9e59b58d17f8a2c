// Package xz reads data in the .xz format: LZMA2 in blocks, with the filter for
// differences of bytes. It knows no other filters and does not look at checksums.
package xz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	magic   = "\xfd7zXZ\x00"
	deltaID = 0x03
	lzma2ID = 0x21
	headLen = 12 // of a stream
	// maxDict is the largest dictionary that xz's own settings use, of "xz -9".
	maxDict = 64 << 20
)

var errDamaged = errors.New("xz: damaged data")

// Reader expands the first stream of its data. It holds at most 64 MiB more than
// what it has been asked for. It is not safe for concurrent use.
type Reader struct {
	src   []byte
	block *lzma2
	check int // bytes of a block's checksum
	delta int // distance of the filter, or 0
	past  [256]byte
	at    byte // in past
	err   error
}

// NewReader returns a reader of data.
func NewReader(data []byte) (*Reader, error) {
	if len(data) < headLen || string(data[:6]) != magic {
		return nil, errors.New("xz: no magic bytes")
	}
	kind := data[7] & 15
	return &Reader{src: data[headLen:], check: [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[kind]}, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for r.err == nil {
		if r.block == nil {
			r.err = r.header()
			continue
		}
		n, err := r.block.Read(p)
		if n > 0 || len(p) == 0 {
			r.undelta(p[:n])
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			r.err = err
			break
		}
		// Padding to four bytes, and the checksum.
		used := len(r.src) - len(r.block.src)
		skip := used + (4-used%4)%4 + r.check
		r.src, r.block = r.src[min(skip, len(r.src)):], nil
	}
	return 0, r.err
}

// header reads the header of a block (3.1); io.EOF before the index.
func (r *Reader) header() error {
	if len(r.src) == 0 {
		return io.ErrUnexpectedEOF
	}
	if r.src[0] == 0 {
		return io.EOF
	}
	size := 4 * (int(r.src[0]) + 1)
	if len(r.src) < size {
		return io.ErrUnexpectedEOF
	}
	h := r.src[1 : size-4]
	r.src = r.src[size:]
	if len(h) == 0 {
		return errDamaged
	}
	flags := h[0]
	h = h[1:]
	for _, bit := range [2]byte{0x40, 0x80} { // sizes
		if flags&bit != 0 {
			if _, err := number(&h); err != nil {
				return err
			}
		}
	}
	r.delta, r.past, r.at = 0, [256]byte{}, 0
	dict := 0
	for range flags&3 + 1 {
		id, err := number(&h)
		if err != nil {
			return err
		}
		n, err := number(&h)
		if err != nil {
			return err
		}
		if n > uint64(len(h)) || n < 1 {
			return errDamaged
		}
		props := h[:n]
		h = h[n:]
		switch {
		case id == deltaID && r.delta == 0 && dict == 0:
			r.delta = int(props[0]) + 1
		case id == lzma2ID && dict == 0:
			dict = dictionary(props[0])
		default:
			return fmt.Errorf("xz: filter %#x is not supported", id)
		}
	}
	if dict == 0 {
		return errDamaged
	}
	r.block = newLZMA2(r.src, min(dict, maxDict))
	return nil
}

// dictionary returns the size that a byte stands for; 0 where it is none.
func dictionary(v byte) int {
	if v > 40 {
		return 0
	}
	return int(min((2|int64(v&1))<<(v/2+11), 1<<31-1))
}

// number takes an integer of 7 bits a byte.
func number(b *[]byte) (v uint64, err error) {
	for i := 0; i < len(*b) && i < 9; i++ {
		c := (*b)[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			*b = (*b)[i+1:]
			return v, nil
		}
	}
	return 0, errDamaged
}

// undelta adds to each byte the one that is delta before it.
func (r *Reader) undelta(p []byte) {
	if r.delta == 0 {
		return
	}
	for i := range p {
		p[i] += r.past[byte(int(r.at)-r.delta)]
		r.past[r.at] = p[i]
		r.at++
	}
}

// lzma2 expands chunks of LZMA, and uncompressed ones.
type lzma2 struct {
	src   []byte
	d     *lzma
	ready []byte // expanded, but not read
	began bool
}

func newLZMA2(src []byte, dict int) *lzma2 { return &lzma2{src: src, d: newLZMA(dict)} }

func (z *lzma2) Read(p []byte) (int, error) {
	for len(z.ready) == 0 {
		if err := z.chunk(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.ready)
	z.ready = z.ready[n:]
	return n, nil
}

func (z *lzma2) take(n int) []byte {
	if n > len(z.src) {
		z.src = nil
		return nil
	}
	b := z.src[:n]
	z.src = z.src[n:]
	return b
}

// chunk expands the next chunk.
func (z *lzma2) chunk() error {
	c := z.take(1)
	switch {
	case c == nil:
		return io.ErrUnexpectedEOF
	case c[0] == 0:
		return io.EOF
	case c[0] == 1 || c[0] == 2: // uncompressed; 1 begins a dictionary
		h := z.take(2)
		if h == nil {
			return io.ErrUnexpectedEOF
		}
		body := z.take(int(binary.BigEndian.Uint16(h)) + 1)
		if body == nil {
			return io.ErrUnexpectedEOF
		}
		if c[0] == 1 {
			z.d.begin()
		}
		z.ready = z.d.store(body)
		return nil
	case c[0] < 0x80:
		return errDamaged
	}
	h := z.take(4)
	if h == nil {
		return io.ErrUnexpectedEOF
	}
	size := int(c[0]&0x1f)<<16 + int(binary.BigEndian.Uint16(h)) + 1
	packed := int(binary.BigEndian.Uint16(h[2:])) + 1
	reset := c[0] >> 5 & 3
	if reset == 3 {
		z.d.begin()
	}
	if reset >= 2 {
		props := z.take(1)
		if props == nil {
			return io.ErrUnexpectedEOF
		}
		if !z.d.properties(props[0]) {
			return errDamaged
		}
		z.began = true
	}
	if reset >= 1 {
		z.d.reset()
	}
	if !z.began {
		return errDamaged
	}
	body := z.take(packed)
	if body == nil {
		return io.ErrUnexpectedEOF
	}
	var err error
	z.ready, err = z.d.expand(body, size)
	return err
}
