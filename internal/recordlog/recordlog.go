// Package recordlog is files to which records are only ever added: what was in one stays
// readable whatever happens to the process that adds more.
//
// A file is a line that says what it is and of which version, and then records:
//
//	size      4 bytes, little-endian, of the content
//	checksum  4 bytes, CRC-32C of the content
//	content
//
// A writer that is killed leaves at most one record that is not whole, at the end. Readers
// stop before it, and the next writer cuts it off.
package recordlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
)

// head is the bytes before a record's content.
const head = 8

// ErrOther says that a file is of another kind, or of another version.
var ErrOther = errors.New("a file of another kind or version")

func sum(content []byte) uint32 {
	return crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
}

// Span is where a record's content lies in its file.
type Span struct {
	At   int64
	Size int
}

// Scan goes through the records of a file of size bytes that begins with kind, and returns
// where they end. Of each it reads the first few bytes only, and compares no checksum: that
// is for [Read]. What has more than limit bytes, or reaches beyond the file, is no record,
// and neither is what follows. An error of use ends the scan.
func Scan(r io.ReaderAt, size int64, kind string, limit, first int, use func(at Span, begins []byte) error) (end int64, err error) {
	line := make([]byte, len(kind)+1)
	if size < int64(len(line)) {
		return 0, ErrOther
	}
	if _, err := r.ReadAt(line, 0); err != nil && err != io.EOF {
		return 0, err
	}
	if string(line) != kind+"\n" {
		return 0, ErrOther
	}
	end = int64(len(line))
	buf := make([]byte, head+first)
	for size-end >= head {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-end)], end)
		if n < head {
			return end, ignoreEnd(err)
		}
		length := int64(binary.LittleEndian.Uint32(buf))
		if length > int64(limit) || length > size-end-head {
			return end, nil
		}
		begins := buf[head:min(int64(n), head+length)]
		if int64(len(begins)) < min(length, int64(first)) {
			return end, ignoreEnd(err)
		}
		if err := use(Span{end + head, int(length)}, begins); err != nil {
			return end, err
		}
		end += head + length
	}
	return end, nil
}

// ErrDamaged says that a record is not what was written.
var ErrDamaged = errors.New("a record differs from its checksum")

// Read returns the content of a record, or ErrDamaged.
func Read(r io.ReaderAt, s Span) ([]byte, error) {
	b := make([]byte, head+s.Size)
	if _, err := r.ReadAt(b, s.At-head); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(b[4:]) != sum(b[head:]) {
		return nil, ErrDamaged
	}
	return b[head:], nil
}

// Each goes through the contents of the records up to the first one that is damaged.
func Each(r io.ReaderAt, size int64, kind string, limit int, use func(content []byte) error) (end int64, err error) {
	whole := int64(-1)
	end, err = Scan(r, size, kind, limit, 0, func(s Span, _ []byte) error {
		content, err := Read(r, s)
		if err == nil {
			return use(content)
		}
		whole = s.At - head
		return err
	})
	if errors.Is(err, ErrDamaged) {
		return whole, nil
	}
	return end, err
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// Writer adds records to a file. It is for one goroutine.
type Writer struct {
	f   *os.File
	end int64
}

// Create makes an empty file of records, in place of any other.
func Create(path, kind string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(kind + "\n"); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Writer{f, int64(len(kind) + 1)}, nil
}

// Continue opens a file to add records behind its first end bytes, as [Scan] and [Each]
// return them. What is behind those is cut off.
func Continue(path string, end int64) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(end); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Writer{f, end}, nil
}

// Add writes a record and returns where it is.
func (w *Writer) Add(content []byte) (Span, error) {
	if int64(len(content)) > math.MaxInt32 {
		return Span{}, fmt.Errorf("a record of %d bytes", len(content))
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, head+len(content)), uint32(len(content)))
	b = append(binary.LittleEndian.AppendUint32(b, sum(content)), content...)
	if _, err := w.f.WriteAt(b, w.end); err != nil {
		return Span{}, err
	}
	s := Span{w.end + head, len(content)}
	w.end += int64(len(b))
	return s, nil
}

// End is the size of the file so far.
func (w *Writer) End() int64 { return w.end }

// ReadAt reads what was written.
func (w *Writer) ReadAt(b []byte, at int64) (int, error) { return w.f.ReadAt(b, at) }

// Sync makes what was added survive a loss of power.
func (w *Writer) Sync() error { return w.f.Sync() }

// Close closes the file.
func (w *Writer) Close() error { return w.f.Close() }
