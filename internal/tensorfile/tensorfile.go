// Package tensorfile holds what the readers of tensor files share: the element
// types, the description of a tensor, and the conversion of stored bytes to Go
// numbers. It knows no file format; internal/safetensors and internal/torchfile
// build on it, so that their files have one interface.
package tensorfile

import (
	"fmt"
	"math/bits"
	"slices"
)

// DType is an element type, spelled as in a safetensors header.
type DType string

// The element types of tensor files, all little-endian.
const (
	Bool   DType = "BOOL"
	U8     DType = "U8"
	I8     DType = "I8"
	F8E5M2 DType = "F8_E5M2"
	F8E4M3 DType = "F8_E4M3"
	F8E8M0 DType = "F8_E8M0"
	I16    DType = "I16"
	U16    DType = "U16"
	F16    DType = "F16"
	BF16   DType = "BF16"
	I32    DType = "I32"
	U32    DType = "U32"
	F32    DType = "F32"
	C64    DType = "C64"
	F64    DType = "F64"
	I64    DType = "I64"
	U64    DType = "U64"
)

// Size returns the bytes of one element, or 0 for a type that is not one of
// the constants. The float8 types and C64 have a size but no conversion.
func (d DType) Size() int {
	switch d {
	case Bool, U8, I8, F8E5M2, F8E4M3, F8E8M0:
		return 1
	case I16, U16, F16, BF16:
		return 2
	case I32, U32, F32:
		return 4
	case C64, F64, I64, U64:
		return 8
	}
	return 0
}

// Float reports whether [ReadFloat32] converts d.
func (d DType) Float() bool {
	return d == F32 || d == F16 || d == BF16 || d == F64
}

// Info describes one tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int // row-major; empty for a scalar
}

// Len returns the number of elements. The readers refuse a shape whose product
// overflows, so it is exact for every Info they return.
func (i Info) Len() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// Clone returns i with a shape of its own.
func (i Info) Clone() Info {
	i.Shape = slices.Clone(i.Shape)
	return i
}

// Size returns the elements and bytes of a tensor of the given shape. A negative
// dimension, an unknown type, or a product that does not fit an int is an error,
// also where another dimension is zero.
func Size(d DType, shape []int) (elements, bytes int, err error) {
	size := d.Size()
	if size == 0 {
		return 0, 0, fmt.Errorf("unknown dtype %q", string(d))
	}
	elements = 1
	for _, dim := range shape {
		if dim < 0 {
			return 0, 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if elements, err = product(elements, dim, shape); err != nil {
			return 0, 0, err
		}
	}
	bytes, err = product(elements, size, shape)
	return elements, bytes, err
}

func product(a, b int, shape []int) (int, error) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi != 0 || lo > uint64(maxInt) {
		return 0, fmt.Errorf("shape %v overflows", shape)
	}
	return int(lo), nil
}

const maxInt = int(^uint(0) >> 1)
