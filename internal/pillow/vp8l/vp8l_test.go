package vp8l

import (
	"bytes"
	"encoding/binary"
	"image"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"golang.org/x/image/vp8l"
)

func alive() {}

// files returns the lossless streams of the WebP files that the package above has for tests.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, name := range []string{"lossless.webp", "lossless_alpha.webp"} {
		data, err := os.ReadFile("../testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		i := bytes.Index(data, []byte("VP8L"))
		if i < 0 {
			t.Fatalf("%s has no VP8L chunk", name)
		}
		all[name] = data[i+8:][:binary.LittleEndian.Uint32(data[i+4:])]
	}
	return all
}

// TestAsXImage: pixels are those of golang.org/x/image/vp8l, with and without the header.
func TestAsXImage(t *testing.T) {
	for name, data := range files(t) {
		img, err := vp8l.Decode(bytes.NewReader(append(data, 0)))
		if err != nil {
			t.Fatal(err)
		}
		want := img.(*image.NRGBA)
		h, err := Config(data)
		if err != nil || h.Width != want.Rect.Dx() || h.Height != want.Rect.Dy() {
			t.Fatalf("%s: %+v, %v, want %v", name, h, err, want.Rect)
		}
		rows := 0
		got, err := Decode(data, func() { rows++ })
		if err != nil {
			t.Fatal(err)
		}
		if rows < h.Height {
			t.Errorf("%s: live was called %d times for %d rows", name, rows, h.Height)
		}
		for i, v := range got {
			p := want.Pix[4*i:]
			if w := uint32(p[3])<<24 | uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2]); v != w {
				t.Fatalf("%s: pixel %d: got %#x, want %#x", name, i, v, w)
			}
		}
		for i := range data {
			if _, err := Decode(data[:i], alive); err == nil && i < len(data)/2 {
				t.Errorf("%s: %d of %d bytes are read, want an error", name, i, len(data))
			}
		}
	}
}

// TestCodes: a code is complete, or of one symbol; and a table decodes each of its codes.
func TestCodes(t *testing.T) {
	for _, c := range []struct {
		sizes []uint8
		ok    bool
	}{
		{[]uint8{0, 0}, false},
		{[]uint8{0, 3, 0}, true},
		{[]uint8{1, 1}, true},
		{[]uint8{1, 1, 1}, false},
		{[]uint8{1, 2}, false},
		{[]uint8{1, 2, 3, 3}, true},
		{[]uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15}, true},
		{[]uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 14}, false},
	} {
		var made table
		if err := made.build(c.sizes, true); (err == nil) != c.ok {
			t.Errorf("%d: %v, want ok to be %v", c.sizes, err, c.ok)
		}
		if !c.ok || len(made) == 1 {
			continue
		}
		code := 0
		for n := 1; n <= maxBits; n++ {
			code <<= 1
			for i, size := range c.sizes {
				if int(size) != n {
					continue
				}
				var b [8]byte
				binary.LittleEndian.PutUint64(b[:], uint64(reversed(code, n))|0xfff<<n)
				r := reader{data: b[:]}
				r.fill()
				before := r.n
				if got := r.symbol(made); int(got) != i || int(before-r.n) != n {
					t.Errorf("%d: code %b of %d bits: symbol %d in %d bits, want %d", c.sizes, code, n, got, before-r.n, i)
				}
				code++
			}
		}
	}
}

// TestPredictions: the vector code gives the Go code's pixels, and writes nothing beside them.
func TestPredictions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for trial := range 4000 {
		row, above := make([]uint32, 3+trial%40), make([]uint32, 3+trial%40)
		for i := range row {
			row[i], above[i] = rng.Uint32(), rng.Uint32()
			if trial%3 == 0 { // ties, and neighbours that are alike
				row[i], above[i] = row[i]&0x01010101, above[i]&0x03010103
			}
		}
		want := slices.Clone(row)
		mode, n := uint32(trial%16), len(row)-1
		predictRunGo(mode, want[:n], above)
		if predictRun(mode, row[:n], above); !slices.Equal(row, want) {
			t.Fatalf("mode %d of %x: got %x, want %x", mode, above, row, want)
		}
	}
}

// FuzzDecode: bytes of any kind end in pixels or an error.
func FuzzDecode(f *testing.F) {
	for _, data := range files(f) {
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := Config(data)
		if err != nil || h.Width*h.Height > 1<<16 {
			return
		}
		pix, err := Decode(data, alive)
		if err == nil && len(pix) != h.Width*h.Height {
			t.Errorf("%d pixels, want %d×%d", len(pix), h.Width, h.Height)
		}
		_, _ = DecodeAlpha(data, 13, 7, alive)
	})
}
