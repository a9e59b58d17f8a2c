package arrow

import (
	"encoding/binary"
	"errors"
)

// flat is a table of a flatbuffer. What is not there, or not within the buffer, reads
// as zero or nothing.
type flat struct {
	buf []byte
	at  int
}

func root(buf []byte) (flat, error) {
	f := flat{buf, 0}
	at := f.uint32(0)
	if int64(at) >= int64(len(buf)) {
		return f, errors.New("a message's head is no flatbuffer")
	}
	return flat{buf, int(at)}, nil
}

func (f flat) uint32(at int) uint32 {
	if at < 0 || at > len(f.buf)-4 {
		return 0
	}
	return binary.LittleEndian.Uint32(f.buf[at:])
}

func (f flat) uint16(at int) int {
	if at < 0 || at > len(f.buf)-2 {
		return 0
	}
	return int(binary.LittleEndian.Uint16(f.buf[at:]))
}

// slot is where a field of the table is; 0 where it is left out.
func (f flat) slot(i int) int {
	table := f.at - int(int32(f.uint32(f.at)))
	if 4+2*i+2 > f.uint16(table) {
		return 0
	}
	if o := f.uint16(table + 4 + 2*i); o != 0 {
		return f.at + o
	}
	return 0
}

// target follows the reference in a field.
func (f flat) target(i int) (int, bool) {
	at := f.slot(i)
	if at == 0 {
		return 0, false
	}
	o := f.uint32(at)
	to := int64(at) + int64(o)
	return int(to), o != 0 && to <= int64(len(f.buf)-4)
}

func (f flat) table(i int) (flat, bool) {
	at, ok := f.target(i)
	return flat{f.buf, at}, ok
}

func (f flat) byte(i int) byte {
	if at := f.slot(i); at > 0 && at < len(f.buf) {
		return f.buf[at]
	}
	return 0
}

func (f flat) int16(i int) int {
	if at := f.slot(i); at > 0 {
		return f.uint16(at)
	}
	return 0
}

func (f flat) int32(i int) int32 {
	if at := f.slot(i); at > 0 {
		return int32(f.uint32(at))
	}
	return 0
}

func (f flat) int64(i int) int64 { return f.long(f.slot(i)) }

func (f flat) long(at int) int64 {
	if at <= 0 || at > len(f.buf)-8 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(f.buf[at:]))
}

// vector returns where the elements of a field are, and how many of a size fit.
func (f flat) vector(i, size int) (at, n int) {
	at, ok := f.target(i)
	if !ok {
		return 0, 0
	}
	n = int(min(int64(f.uint32(at)), int64((len(f.buf)-at-4)/size)))
	return at + 4, n
}

func (f flat) string(i int) string {
	at, n := f.vector(i, 1)
	if n == 0 {
		return ""
	}
	return string(f.buf[at : at+n])
}

func (f flat) tables(i int) []flat {
	at, n := f.vector(i, 4)
	var list []flat
	for k := range n {
		to := int64(at+4*k) + int64(f.uint32(at+4*k))
		if to > int64(len(f.buf)-4) {
			return list
		}
		list = append(list, flat{f.buf, int(to)})
	}
	return list
}

// spans are the buffers of a record batch.
func (f flat) spans(i int) []span {
	at, n := f.vector(i, 16)
	list := make([]span, n)
	for k := range list {
		list[k] = span{f.long(at + 16*k), f.long(at + 16*k + 8)}
	}
	return list
}
