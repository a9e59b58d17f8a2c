// Package safetensors reads and writes tensor files in the safetensors format:
// the length of a JSON header in 8 bytes, the header, and the data of all
// tensors, little-endian and row-major, without a gap.
//
// A file is checked whole when it is opened, before memory is taken for any
// tensor, and as strictly as the reference implementation does
// (https://github.com/huggingface/safetensors): names are unique, offsets lie in
// the file and cover it without overlap or hole, and every tensor has exactly
// the bytes of its shape.
package safetensors

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unsafe"

	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/internal/tensorfile"
)

// Info describes one tensor of a file.
type Info = tensorfile.Info

// File is an open checkpoint of one file or several shards. Its methods may be
// called from several goroutines at once, Close excepted.
type File struct {
	name     string
	names    []string
	tensors  map[string]tensor
	metadata map[string]string
	sources  []source
}

type tensor struct {
	Info
	src    *source
	off    int64  // of the first byte in the file
	sum    uint32 // CRC-32C of the bytes
	summed bool   // the file says so
}

// source is one file: a mapping, or what is read through.
type source struct {
	name   string
	r      io.ReaderAt // a tensorfile.Bytes where the file is mapped
	mapped bool
	close  func() error
}

// Open maps the file at path, or reads through it where the system cannot map
// it. The file must not be truncated while it is open: on most systems the
// program would be killed on reading what is no longer there.
func Open(path string) (*File, error) {
	src, size, err := openSource(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return single(src, size)
}

// OpenReader opens a file of the given size that is read through r; name is
// used in errors. Close leaves r open.
func OpenReader(r io.ReaderAt, size int64, name string) (*File, error) {
	return single(source{name: name, r: r, close: func() error { return nil }}, size)
}

func openSource(path string) (src source, size int64, err error) {
	stat, err := os.Stat(path) // before it is opened: on a pipe that would wait for a writer
	if err != nil {
		return source{}, 0, err
	}
	if !stat.Mode().IsRegular() {
		return source{}, 0, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return source{}, 0, err
	}
	if stat, err = f.Stat(); err != nil {
		return source{}, 0, errors.Join(err, f.Close())
	}
	size = stat.Size()
	if size > 0 && size <= math.MaxInt {
		if b, err := mapFile(f, int(size)); err == nil { // the mapping outlives the file's handle
			unmapAll := func() error { return unmap(b) }
			return source{path, tensorfile.Bytes(b), true, unmapAll}, size, f.Close()
		}
	}
	return source{path, f, false, f.Close}, size, nil
}

func single(src source, size int64) (*File, error) {
	h, err := readHeader(src.r, size)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", src.name, errors.Join(err, src.close()))
	}
	f := &File{name: src.name, tensors: make(map[string]tensor, len(h.entries)), metadata: h.metadata, sources: []source{src}}
	f.add(h, &f.sources[0])
	return f, nil
}

func (f *File) add(h *header, src *source) {
	for _, e := range h.entries {
		f.names = append(f.names, e.Name)
		f.tensors[e.Name] = tensor{e.Info, src, h.data + e.begin, e.sum, e.summed}
	}
}

// Close releases the file and the mapping; every view becomes invalid, and
// every later read fails.
func (f *File) Close() error {
	var errs []error
	for i := range f.sources {
		s := &f.sources[i]
		errs = append(errs, s.close())
		*s = source{name: s.name, r: closed{}, close: func() error { return nil }}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("safetensors: %s: %w", f.name, err)
	}
	return nil
}

type closed struct{}

func (closed) ReadAt([]byte, int64) (int, error) { return 0, os.ErrClosed }

// Names returns the names of all tensors in the order of their data, which is
// the order to read them in.
func (f *File) Names() []string { return append([]string(nil), f.names...) }

// Info describes the named tensor, if the file has it.
func (f *File) Info(name string) (info Info, ok bool) {
	t, ok := f.tensors[name]
	return t.Info.Clone(), ok
}

// Metadata returns the file's __metadata__ without [ChecksumKey], nil where it
// has none. Of several shards it is the union; the first shard by name that has a key gives its value.
func (f *File) Metadata() map[string]string {
	if f.metadata == nil {
		return nil
	}
	m := make(map[string]string, len(f.metadata))
	for k, v := range f.metadata {
		m[k] = v
	}
	return m
}

// Float32 reads the named tensor into dst, which must have its length. F32, F16
// and BF16 are exact, F64 is rounded to nearest even; another type is an error.
func (f *File) Float32(name string, dst []float32) error {
	t, err := f.lookup(name)
	if err != nil {
		return err
	}
	if len(dst) != t.Len() {
		return f.errorf(t, errors.New(lengths(len(dst), t)))
	}
	if err := t.verify(); err != nil {
		return f.errorf(t, err)
	}
	return f.errorf(t, tensorfile.ReadFloat32(dst, t.DType, t.src.r, t.off))
}

func lengths(n int, t tensor) string {
	return fmt.Sprintf("the destination has %d elements, but shape %v has %d", n, t.Shape, t.Len())
}

// Ints returns the elements of the named tensor, of an integer type or BOOL.
func (f *File) Ints(name string) ([]int64, error) {
	t, b, err := f.bytes(name)
	if err != nil {
		return nil, err
	}
	v, err := tensorfile.Ints(t.DType, b)
	return v, f.errorf(t, err)
}

// Bytes returns a copy of the named tensor's data as stored: little-endian,
// row-major.
func (f *File) Bytes(name string) ([]byte, error) {
	_, b, err := f.bytes(name)
	return b, err
}

func (f *File) bytes(name string) (tensor, []byte, error) {
	t, err := f.lookup(name)
	if err != nil {
		return t, nil, err
	}
	if err := t.verify(); err != nil {
		return t, nil, f.errorf(t, err)
	}
	b, err := tensorfile.ReadBytes(t.src.r, t.off, t.Len()*t.DType.Size())
	return t, b, f.errorf(t, err)
}

// View returns the named tensor without copying, where that is possible: the
// file is mapped, the tensor is F32 and aligned, the processor little-endian,
// and its checksum, if it has one, is right (otherwise Float32 gives the error).
// The view must not be written to (the program would be killed) and is valid
// until Close.
func (f *File) View(name string) (v []float32, ok bool) {
	if v, ok = f.ViewUnread(name); !ok || f.tensors[name].verify() != nil {
		return nil, false
	}
	return v, true
}

// ViewUnread is [File.View] of a tensor that is not compared with its checksum, so that
// nothing of it is read yet.
func (f *File) ViewUnread(name string) (v []float32, ok bool) {
	t, ok := f.tensors[name]
	b := t.mapping()
	if !ok || b == nil || t.DType != tensorfile.F32 || !tensorfile.LittleEndian() {
		return nil, false
	}
	if len(b) == 0 {
		return []float32{}, true
	}
	if uintptr(unsafe.Pointer(&b[0]))%4 != 0 {
		return nil, false
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), len(b)/4), true
}

// ViewBytes is [File.View] of the data as stored, whatever its type; with unread set it is not
// compared with its checksum.
func (f *File) ViewBytes(name string, unread bool) (b []byte, ok bool) {
	t, ok := f.tensors[name]
	if b = t.mapping(); !ok || b == nil || !unread && t.verify() != nil {
		return nil, false
	}
	return b, true
}

// Release tells the system that the named tensor will not be read again soon,
// so that its pages need not stay in memory. Views of it stay valid. Where the
// file is not mapped it does nothing.
func (f *File) Release(name string) {
	t := f.tensors[name]
	size := len(t.mapping())
	const part = 1 << 20 // a tenth of a millisecond
	parallel.For((size+part-1)/part, func(i int) { t.drop(i*part, min(part, size-i*part)) })
}

// drop is Release of n mapped bytes from the given one.
func (t tensor) drop(from, n int) {
	// The ends may share a page with what lies beside them. Dropping that too costs a fault at
	// most, and keeping it would hold one page for each.
	lo := t.off + int64(from)
	dropPages(t.src.r.(tensorfile.Bytes)[lo-lo%int64(os.Getpagesize()) : lo+int64(n)])
}

// mapping returns the mapped bytes of t, nil where it is not mapped.
func (t tensor) mapping() []byte {
	if t.src == nil || !t.src.mapped {
		return nil
	}
	end := t.off + int64(t.Len()*t.DType.Size())
	return t.src.r.(tensorfile.Bytes)[t.off:end:end]
}

func (f *File) lookup(name string) (tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return t, fmt.Errorf("safetensors: %s has no tensor %q", f.name, name)
	}
	return t, nil
}

func (f *File) errorf(t tensor, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("safetensors: %s: tensor %q: %w", t.src.name, t.Name, err)
}
