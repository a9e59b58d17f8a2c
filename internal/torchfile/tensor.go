package torchfile

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"sync"

	"github.com/goclip/goclip/internal/tensorfile"
)

// storage is a run of elements in the file that tensors look into.
type storage struct {
	key   string
	dtype tensorfile.DType
	len   int   // elements
	off   int64 // of the first byte in the file

	crc      uint32 // IEEE, of the zip entry; 0 in files without, and in those written with checksums off
	checked  sync.Once
	mismatch error
}

var errDamaged = errors.New("is damaged")

// verify compares the storage with its checksum, once.
func (s *storage) verify(r io.ReaderAt) error {
	s.checked.Do(func() {
		if s.crc == 0 {
			return
		}
		h := crc32.NewIEEE()
		if _, err := io.Copy(h, io.NewSectionReader(r, s.off, s.bytes())); err != nil {
			s.mismatch = err
		} else if got := h.Sum32(); got != s.crc {
			s.mismatch = fmt.Errorf("storage %q %w: its checksum is %08x, want %08x", s.key, errDamaged, got, s.crc)
		}
	})
	return s.mismatch
}

func (s *storage) bytes() int64 { return int64(s.len) * int64(s.dtype.Size()) }

// tensor is a view of a storage, in elements.
type tensor struct {
	*storage
	offset        int
	shape, stride []int
}

// newStorage reads a persistent id: ("storage", class, key, device, elements),
// in the legacy container with a view of it, None since 2017.
func newStorage(id tuple, fields int) (*storage, error) {
	if len(id) != fields {
		return nil, fmt.Errorf("persistent id of %d fields, want %d", len(id), fields)
	}
	class, _ := id[1].(global)
	key, ok := id[2].(string)
	n, ok2 := id[4].(int64)
	dtype := storageType(string(class))
	if id[0] != "storage" || dtype == "" || !ok || !ok2 {
		return nil, fmt.Errorf("persistent id (%s, %s, %s, …, %s), want (\"storage\", a storage class, a key, a device, a length)",
			kind(id[0]), kind(id[1]), kind(id[2]), kind(id[4]))
	}
	if fields == 6 && id[5] != nil {
		return nil, fmt.Errorf("storage %q is a view, as before PyTorch 0.4", key)
	}
	if n < 0 || n != int64(int(n)) {
		return nil, fmt.Errorf("storage %q has length %d", key, n)
	}
	if _, _, err := tensorfile.Size(dtype, []int{int(n)}); err != nil {
		return nil, fmt.Errorf("storage %q: %w", key, err)
	}
	return &storage{key: key, dtype: dtype, len: int(n)}, nil
}

// newTensor makes the tensor that the first arguments of _rebuild_tensor_v2
// describe, provided that it stays inside its storage.
func newTensor(store, offset, shape, stride any) (*tensor, error) {
	s, ok := store.(*storage)
	first, ok2 := offset.(int64)
	if !ok || !ok2 {
		return nil, fmt.Errorf("storage and offset are %s and %s", kind(store), kind(offset))
	}
	t := &tensor{storage: s, offset: int(first)}
	var err error
	if t.shape, err = ints(shape); err != nil {
		return nil, fmt.Errorf("shape: %w", err)
	}
	if t.stride, err = ints(stride); err != nil {
		return nil, fmt.Errorf("stride: %w", err)
	}
	if len(t.shape) != len(t.stride) {
		return nil, fmt.Errorf("shape %v with stride %v", t.shape, t.stride)
	}
	elements, _, err := tensorfile.Size(s.dtype, t.shape)
	if err != nil {
		return nil, err
	}
	// An expanded tensor, stride 0, would make much memory of a small file.
	if elements > s.len {
		return nil, fmt.Errorf("shape %v has more elements than its storage %q, %d", t.shape, s.key, s.len)
	}
	span, ok := t.span()
	if first < 0 || first > int64(s.len) || !ok || span > s.len-int(first) {
		return nil, fmt.Errorf("offset %d, shape %v, stride %v leave storage %q of %d", first, t.shape, t.stride, s.key, s.len)
	}
	return t, nil
}

// maxDims is more than any weight has; PyTorch's limit is 64. A long shape that many
// tensors share is copied for each.
const maxDims = 8

// ints reads a tuple of numbers ≥ 0.
func ints(v any) ([]int, error) {
	items, ok := sequence(v)
	if !ok {
		return nil, fmt.Errorf("%s, want a tuple", kind(v))
	}
	if len(items) > maxDims {
		return nil, fmt.Errorf("%d dimensions, at most %d are read", len(items), maxDims)
	}
	out := make([]int, len(items))
	for i, it := range items {
		n, ok := it.(int64)
		if !ok {
			return nil, fmt.Errorf("%s, want an int", kind(it))
		}
		if n < 0 || n != int64(int(n)) {
			return nil, fmt.Errorf("%d is out of range", n)
		}
		out[i] = int(n)
	}
	return out, nil
}

// elements is the product of the shape, checked by newTensor.
func (t *tensor) elements() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// span returns how many elements of the storage lie between the first and the
// last of t, both included; ok is false if that overflows.
func (t *tensor) span() (span int, ok bool) {
	if t.elements() == 0 {
		return 0, true
	}
	span = 1
	for i, d := range t.shape {
		hi, lo := bits.Mul64(uint64(d-1), uint64(t.stride[i]))
		if hi != 0 || lo > uint64(maxInt-span) {
			return 0, false
		}
		span += int(lo)
	}
	return span, true
}

const maxInt = int(^uint(0) >> 1)

// contiguous reports whether the elements lie in row-major order without gaps.
func (t *tensor) contiguous() bool {
	next := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] != 1 && t.stride[i] != next {
			return false
		}
		next *= t.shape[i]
	}
	return true
}

// start returns the place of the first element in the file.
func (t *tensor) start() int64 { return t.off + int64(t.offset)*int64(t.dtype.Size()) }

// read returns the elements in row-major order. A tensor that is not contiguous
// costs the part of its storage that it spans once more for the time of the call.
func (t *tensor) read(r io.ReaderAt) ([]byte, error) {
	size := t.dtype.Size()
	span, ok := t.span()
	if !ok {
		return nil, errors.New("stride overflows")
	}
	b, err := tensorfile.ReadBytes(r, t.start(), span*size)
	if err != nil || span == 0 || t.contiguous() {
		return b, err
	}
	out := make([]byte, 0, t.elements()*size)
	index := make([]int, len(t.shape))
	for at := 0; ; {
		out = append(out, b[at*size:(at+1)*size]...)
		i := len(index) - 1
		for ; i >= 0; i-- { // count up, the last index first
			at += t.stride[i]
			if index[i]++; index[i] < t.shape[i] {
				break
			}
			at -= index[i] * t.stride[i]
			index[i] = 0
		}
		if i < 0 {
			return out, nil
		}
	}
}
