package kernel

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// TestOutside: zeros, of any length, which stay while their owner is there, which the collector's
// heap does not have, and which are given back when the owner is gone.
func TestOutside(t *testing.T) {
	type owner struct{ x []uint16 }
	for _, n := range []int{0, 1, leastPaged/2 - 1, leastPaged / 2, 3<<20 + 7} {
		o := new(owner)
		o.x = outside[uint16](o, n)
		if len(o.x) != n || cap(o.x) != n {
			t.Fatalf("%d numbers with room for %d, want %d", len(o.x), cap(o.x), n)
		}
		for i, v := range o.x {
			if v != 0 {
				t.Fatalf("number %d of %d is %d, want 0", i, n, v)
			}
			o.x[i] = uint16(i)
		}
		runtime.GC()
		runtime.GC()
		for i, v := range o.x {
			if v != uint16(i) {
				t.Fatalf("number %d of %d is %d, want %d", i, n, v, uint16(i))
			}
		}
		runtime.KeepAlive(o)
	}
	m, err := reserve(1 << 20)
	if err != nil {
		t.Skip("this system has no memory outside the heap")
	}
	release(m)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	o := new(owner)
	o.x = outside[uint16](o, 8<<20)
	gone := make(chan bool)
	runtime.AddCleanup(o, func(c chan bool) { close(c) }, gone)
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes of %d", grown, 16<<20)
	}
	at := uintptr(unsafe.Pointer(&o.x[0]))
	o = nil
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		select {
		case <-gone:
		default:
			if time.Now().After(end) {
				t.Fatal("the owner is never gone")
			}
			continue
		}
		break
	}
	for end := time.Now().Add(time.Minute); mappedAt(at); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the memory of an owner that is gone is never given back")
		}
	}
}

// mappedAt tells whether an address is in a mapping of this process, as far as the system says.
func mappedAt(at uintptr) bool {
	text, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(text)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 && from <= at && at < to {
			return true
		}
	}
	return false
}
