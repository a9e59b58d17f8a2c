package kernel

import (
	"runtime"
	"unsafe"
)

// outside is [paged] in memory that the garbage collector does not count, where the system has
// such: with weights of 340 MB in its heap it would wait for 340 MB of garbage, or whatever share
// of them GOGC is. The memory lives as long as the owner can be reached, so whoever reads it ends
// with runtime.KeepAlive(owner).
func outside[T, O any](owner *O, n int) []T {
	size := n * int(unsafe.Sizeof(*new(T)))
	if size < leastPaged {
		return paged[T](n)
	}
	m, err := reserve(size)
	if err != nil {
		return paged[T](n)
	}
	runtime.AddCleanup(owner, release, m)
	x := unsafe.SliceData(m)
	wantLargePages(uintptr(unsafe.Pointer(x)), uintptr(size))
	return unsafe.Slice((*T)(unsafe.Pointer(x)), n)
}
