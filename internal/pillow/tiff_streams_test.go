package pillow

import (
	"encoding/base64"
	"io"
	"runtime"
	"testing"
)

// Strips whose headers ask for the largest windows: "hello" as zstd's last level begins
// it, and 1,000 bytes of liblzma 5.4's preset 9 with differences of bytes.
const (
	zstdStrip = "\x28\xb5\x2f\xfd\x00\x88\x29\x00\x00hello"
	xzStrip   = "/Td6WFoAAATm1rRGAgEDAQIhARzsARik4APnAA9dADCYiJCII2i5DYNgxMNZAAAAu4EWUo4qqkgAASvoBwAAAI+VTSuxxGf7AgAAAAAEWVo="
)

type stripReader interface {
	begin(data []byte) (io.Reader, error)
}

func strips(t testing.TB) map[string]struct {
	data []byte
	want string
	r    stripReader
} {
	t.Helper()
	xz, err := base64.StdEncoding.DecodeString(xzStrip)
	if err != nil {
		t.Fatal(err)
	}
	letters := make([]byte, 1000)
	for i := range letters {
		letters[i] = "abc"[i%3]
	}
	return map[string]struct {
		data []byte
		want string
		r    stripReader
	}{
		"zstd": {[]byte(zstdStrip), "hello", &zstdReader{window: windowFor(5)}},
		"xz":   {xz, string(letters), &xzReader{window: windowFor(1000)}},
	}
}

// TestWindowsAreLowered: a strip takes the memory of its bytes, whatever it asks for.
func TestWindowsAreLowered(t *testing.T) {
	for name, s := range strips(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 3 { // a strip after the other
			r, err := s.r.begin(s.data)
			if err != nil {
				t.Fatal(name, err)
			}
			got := make([]byte, len(s.want))
			if _, err := io.ReadFull(r, got); err != nil || string(got) != s.want {
				t.Fatalf("%s: got %.20q and error %v, want %.20q", name, got, err, s.want)
			}
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
			t.Errorf("%s took %d bytes", name, took)
		}
	}
}

// FuzzStrips: no strip panics or expands without end.
func FuzzStrips(f *testing.F) {
	for _, s := range strips(f) {
		f.Add(s.data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, s := range []stripReader{&zstdReader{window: minWindow}, &xzReader{window: minWindow}} {
			if r, err := s.begin(data); err == nil {
				_, _ = io.CopyN(io.Discard, r, 1<<20)
			}
		}
	})
}
