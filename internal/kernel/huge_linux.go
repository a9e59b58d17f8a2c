package kernel

import (
	"syscall"
	"unsafe"
)

// hugePage is what most processors' larger pages are.
const hugePage = 2 << 20

// huge asks for large pages for memory that nothing has touched yet: faults, and misses of
// the processor's table of pages, are a part of a large product's time. Where the system has
// none, nothing changes.
func huge[T any](x []T) {
	var of T
	p := unsafe.Pointer(unsafe.SliceData(x))
	begin := int(-uintptr(p) % hugePage)
	n := (len(x)*int(unsafe.Sizeof(of)) - begin) &^ (hugePage - 1)
	if n > 0 {
		_ = syscall.Madvise(unsafe.Slice((*byte)(unsafe.Add(p, begin)), n), syscall.MADV_HUGEPAGE)
	}
}
