package tensorfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"unsafe"
)

// Bytes is a mapped or loaded file as a reader. Unlike [bytes.Reader] it lets
// [ReadFloat32] convert from the bytes themselves.
type Bytes []byte

// ReadAt implements [io.ReaderAt].
func (b Bytes) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

const (
	chunkLen = 1 << 16 // elements converted from one read
	grain    = 1 << 18 // elements below which another goroutine does not pay
)

// ReadFloat32 fills dst with the len(dst) elements of type d that begin at byte
// off of r. F32, F16 and BF16 are exact; F64 is rounded to nearest even. Large
// tensors are converted on all processors, so r must allow concurrent use, as
// [io.ReaderAt] demands.
func ReadFloat32(dst []float32, d DType, r io.ReaderAt, off int64) error {
	if !d.Float() {
		return fmt.Errorf("dtype %s is not converted to float32", d)
	}
	workers := min(runtime.GOMAXPROCS(0), (len(dst)+grain-1)/grain)
	if workers <= 1 {
		return readFloat32(dst, d, r, off)
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		lo, hi := len(dst)*w/workers, len(dst)*(w+1)/workers
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[w] = readFloat32(dst[lo:hi], d, r, off+int64(lo*d.Size()))
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func readFloat32(dst []float32, d DType, r io.ReaderAt, off int64) error {
	size := d.Size()
	if b, ok := r.(Bytes); ok {
		if need := int64(len(dst)) * int64(size); off < 0 || off > int64(len(b)) || need > int64(len(b))-off {
			return io.ErrUnexpectedEOF
		}
		decode(dst, d, b[off:])
		return nil
	}
	buf := make([]byte, min(len(dst), chunkLen)*size)
	for len(dst) > 0 {
		n := min(len(dst), chunkLen)
		if err := readFull(r, buf[:n*size], off); err != nil {
			return err
		}
		decode(dst[:n], d, buf)
		dst, off = dst[n:], off+int64(n*size)
	}
	return nil
}

// ReadBytes returns n bytes of r from off in memory of their own.
func ReadBytes(r io.ReaderAt, off int64, n int) ([]byte, error) {
	b := make([]byte, n)
	return b, readFull(r, b, off)
}

// readFull treats the io.EOF that ReadAt may return with a full buffer as none.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func decode(dst []float32, d DType, src []byte) {
	src = src[:len(dst)*d.Size()]
	switch d {
	case F32:
		if LittleEndian() {
			copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(src)), src)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = Float16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = BFloat16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	}
}

// LittleEndian reports whether numbers lie in memory as they lie in files.
func LittleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// EncodeFloat32 stores src as little-endian elements of type d, which is F32,
// F16 or BF16, in dst of length len(src)·d.Size(). Halves are rounded to nearest
// even.
func EncodeFloat32(dst []byte, d DType, src []float32) error {
	if len(dst) != len(src)*d.Size() {
		return fmt.Errorf("%d elements of %s do not fill %d bytes", len(src), d, len(dst))
	}
	switch d {
	case F32:
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case F16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], ToFloat16(v))
		}
	case BF16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], ToBFloat16(v))
		}
	default:
		return fmt.Errorf("dtype %s is not stored from float32", d)
	}
	return nil
}

// Ints returns the elements of src, of integer or BOOL type d.
func Ints(d DType, src []byte) ([]int64, error) {
	var at func(i int) int64
	switch d {
	case Bool, U8:
		at = func(i int) int64 { return int64(src[i]) }
	case I8:
		at = func(i int) int64 { return int64(int8(src[i])) }
	case U16:
		at = func(i int) int64 { return int64(binary.LittleEndian.Uint16(src[2*i:])) }
	case I16:
		at = func(i int) int64 { return int64(int16(binary.LittleEndian.Uint16(src[2*i:]))) }
	case U32:
		at = func(i int) int64 { return int64(binary.LittleEndian.Uint32(src[4*i:])) }
	case I32:
		at = func(i int) int64 { return int64(int32(binary.LittleEndian.Uint32(src[4*i:]))) }
	case I64, U64:
		at = func(i int) int64 { return int64(binary.LittleEndian.Uint64(src[8*i:])) }
	default:
		return nil, fmt.Errorf("dtype %s is not an integer type", d)
	}
	out := make([]int64, len(src)/d.Size())
	for i := range out {
		out[i] = at(i)
		if d == U64 && out[i] < 0 {
			return nil, fmt.Errorf("element %d, %d, does not fit an int64", i, uint64(out[i]))
		}
	}
	return out, nil
}
