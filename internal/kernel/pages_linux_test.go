package kernel

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// TestLargePagesAreAskedFor: the system knows that memory of a weight's size is wanted in large pages, all of it.
func TestLargePagesAreAskedFor(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil {
		t.Skip("this system has no large pages to ask for")
	}
	x := paged[float32](10 << 20 / 4)
	first := uintptr(unsafe.Pointer(&x[0]))
	last := uintptr(unsafe.Pointer(&x[len(x)-1]))
	for _, at := range []uintptr{first, (first + last) / 2, last} {
		if !strings.Contains(flags(t, at), " hg ") {
			t.Errorf("byte %d of %d has flags %q, want hg among them", at-first, last-first, flags(t, at))
		}
	}
	clear(x)
}

// flags are those of the mapping that an address lies in.
func flags(t *testing.T, at uintptr) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= at && at < to
		}
		if found, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return found
		}
	}
	t.Fatalf("no mapping holds %x", at)
	return ""
}
