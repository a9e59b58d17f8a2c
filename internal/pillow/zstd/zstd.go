// Package zstd reads data that Zstandard has compressed (RFC 8878). It takes no
// dictionaries and does not look at checksums.
package zstd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	magic     = 0xfd2fb528
	skippable = 0x184d2a50 // to …5f
	maxWindow = 1 << 27    // as zstd itself allows without being asked
	maxBlock  = 128 << 10
)

// Reader expands the frames of its data. It holds as much of what it has
// expanded as they refer to, at most 128 MiB and what they have. It is not safe
// for concurrent use.
type Reader struct {
	src     []byte
	out     []byte // what has been expanded last
	read    int    // how much of out
	window  int
	inFrame bool
	last    bool // block of the frame
	check   bool // the frame ends with a checksum
	err     error

	literals []byte
	huffman  *huffman // of the last block that had one
	tables   [3]*fse  // of literal lengths, offsets and match lengths
	recent   [3]int   // offsets
}

// NewReader returns a reader of data.
func NewReader(data []byte) *Reader { return &Reader{src: data} }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for r.read == len(r.out) && r.err == nil {
		r.forget()
		r.err = r.next()
	}
	n := copy(p, r.out[r.read:])
	r.read += n
	if n == 0 && len(p) > 0 {
		return 0, r.err
	}
	return n, nil
}

// forget drops what lies before the window, now and then.
func (r *Reader) forget() {
	if extra := len(r.out) - r.window; extra > maxBlock+r.window {
		r.out = r.out[:copy(r.out, r.out[extra:])]
		r.read -= extra
	}
}

var errDamaged = errors.New("zstd: damaged data")

// next expands a block, or goes to the next frame.
func (r *Reader) next() error {
	if !r.inFrame {
		return r.frame()
	}
	if r.last {
		if r.inFrame = false; r.check {
			r.take(4)
		}
		return nil
	}
	head := r.take(3)
	if head == nil {
		return io.ErrUnexpectedEOF
	}
	h := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	r.last = h&1 != 0
	size := h >> 3
	if size > maxBlock {
		return fmt.Errorf("zstd: a block of %d bytes", size)
	}
	switch kind := h >> 1 & 3; kind {
	case 0:
		body := r.take(size)
		if body == nil {
			return io.ErrUnexpectedEOF
		}
		r.out = append(r.out, body...)
	case 1:
		b := r.take(1)
		if b == nil {
			return io.ErrUnexpectedEOF
		}
		for range size {
			r.out = append(r.out, b[0])
		}
	case 2:
		body := r.take(size)
		if body == nil {
			return io.ErrUnexpectedEOF
		}
		return r.block(body)
	default:
		return errDamaged
	}
	return nil
}

// take takes n bytes off the data; nil where there are less.
func (r *Reader) take(n int) []byte {
	if n > len(r.src) {
		r.src = nil
		return nil
	}
	b := r.src[:n:n]
	r.src = r.src[n:]
	return b
}

// frame reads the header of a frame.
func (r *Reader) frame() error {
	if len(r.src) == 0 {
		return io.EOF
	}
	head := r.take(4)
	if head == nil {
		return io.ErrUnexpectedEOF
	}
	switch m := binary.LittleEndian.Uint32(head); {
	case m&^15 == skippable:
		size := r.take(4)
		if size == nil || r.take(int(min(binary.LittleEndian.Uint32(size), 1<<31-1))) == nil {
			return io.ErrUnexpectedEOF
		}
		return nil
	case m != magic:
		return fmt.Errorf("zstd: data begin with %#x", m)
	}
	d := r.take(1)
	if d == nil {
		return io.ErrUnexpectedEOF
	}
	single := d[0]&0x20 != 0
	r.check = d[0]&4 != 0
	if d[0]&8 != 0 || d[0]&3 != 0 {
		return errors.New("zstd: a reserved bit, or a dictionary")
	}
	window := uint64(0)
	if !single {
		w := r.take(1)
		if w == nil {
			return io.ErrUnexpectedEOF
		}
		window = 1 << (10 + w[0]>>3)
		window += window / 8 * uint64(w[0]&7)
	}
	size := [4]int{0, 2, 4, 8}[d[0]>>6]
	if single && size == 0 {
		size = 1
	}
	content := r.take(size)
	if content == nil {
		return io.ErrUnexpectedEOF
	}
	if single {
		var b [8]byte
		copy(b[:], content)
		if window = binary.LittleEndian.Uint64(b[:]); size == 2 {
			window += 256
		}
	}
	if window > maxWindow {
		return fmt.Errorf("zstd: a window of %d bytes", window)
	}
	r.window, r.inFrame, r.last = int(window), true, false
	r.out, r.read = r.out[:0], 0 // frames do not refer to each other
	r.huffman, r.tables, r.recent = nil, [3]*fse{}, [3]int{1, 4, 8}
	return nil
}
