package inflate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
)

// ErrGzip is about a file of gzip whose header, sum or length is wrong.
var ErrGzip = errors.New("the gzip file is damaged")

// Gzip reads a file of gzip (RFC 1952) that lies in memory: the contents of its members, one after
// another, each of which is compared with its CRC-32 and length.
type Gzip struct {
	data   []byte // that follow a member's header
	stream *Reader
	sum    uint32 // of what was read of the member
	size   uint32
	err    error
}

// NewGzip reads the header of the first member.
func NewGzip(data []byte) (*Gzip, error) {
	g := &Gzip{}
	return g, g.begin(data)
}

// begin begins a member.
func (g *Gzip) begin(data []byte) (err error) {
	if g.data, err = skipHeader(data); err != nil {
		return err
	}
	rest := g.data
	g.stream = New(func() []byte {
		piece := rest
		rest = nil
		return piece
	})
	g.sum, g.size = 0, 0
	return nil
}

// Read implements [io.Reader].
func (g *Gzip) Read(p []byte) (int, error) {
	if g.err != nil || len(p) == 0 {
		return 0, g.err
	}
	n, err := g.stream.Read(p)
	g.sum, g.size = crc32.Update(g.sum, crc32.IEEETable, p[:n]), g.size+uint32(n)
	if err == io.EOF {
		err = g.end()
	}
	g.err = err
	return n, err
}

// end compares a member with what its end says of it, and begins the next one.
func (g *Gzip) end() error {
	sum, _ := g.stream.Trailer()
	size, ok := g.stream.Trailer()
	switch {
	case !ok:
		return io.ErrUnexpectedEOF
	case bits.ReverseBytes32(sum) != g.sum || bits.ReverseBytes32(size) != g.size:
		return ErrGzip
	}
	left := g.stream.n/8 + len(g.stream.in) - g.stream.pos
	if left == 0 {
		return io.EOF
	}
	return g.begin(g.data[len(g.data)-left:])
}

// The flags of a header.
const (
	headerSum     = 1 << 1
	headerExtra   = 1 << 2
	headerName    = 1 << 3
	headerComment = 1 << 4
)

// skipHeader returns what follows the header of a member.
func skipHeader(data []byte) ([]byte, error) {
	const fixed = 10
	if len(data) < fixed {
		return nil, io.ErrUnexpectedEOF
	}
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b, 8}) {
		return nil, ErrGzip
	}
	flags, rest := data[3], data[fixed:]
	if flags&headerExtra != 0 {
		if len(rest) < 2 || len(rest)-2 < int(binary.LittleEndian.Uint16(rest)) {
			return nil, io.ErrUnexpectedEOF
		}
		rest = rest[2+binary.LittleEndian.Uint16(rest):]
	}
	for _, text := range []byte{headerName, headerComment} {
		if flags&text == 0 {
			continue
		}
		end := bytes.IndexByte(rest, 0)
		if end < 0 {
			return nil, io.ErrUnexpectedEOF
		}
		rest = rest[end+1:]
	}
	if flags&headerSum != 0 {
		header := data[:len(data)-len(rest)]
		if len(rest) < 2 {
			return nil, io.ErrUnexpectedEOF
		}
		if binary.LittleEndian.Uint16(rest) != uint16(crc32.ChecksumIEEE(header)) {
			return nil, ErrGzip
		}
		rest = rest[2:]
	}
	return rest, nil
}
