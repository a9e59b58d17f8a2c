package kernel

import "unsafe"

// leastPaged is the size from which large pages are asked for, in bytes.
const leastPaged = 1 << 20

// paged returns n zeros for what is read from end to end again and again, such as the weights of
// a model: in pages of 2 MiB rather than 4 KiB, where the system has such, so that a core finds
// its way to them in the tables that it keeps near. To the garbage collector they are memory as
// any other.
func paged[T any](n int) []T {
	x := make([]T, n)
	if size := uintptr(n) * unsafe.Sizeof(*new(T)); size >= leastPaged {
		wantLargePages(uintptr(unsafe.Pointer(unsafe.SliceData(x))), size)
	}
	return x
}

// Buffer returns n zeros for what is written and read again and again. See paged.
func Buffer(n int) []float32 { return paged[float32](n) }
