package vp8

import (
	"bytes"
	"encoding/binary"
	"image"
	"os"
	"testing"

	reference "golang.org/x/image/vp8"
)

// frames are those of the WebP files of package pillow's tests.
func frames(tb testing.TB) (all [][]byte) {
	tb.Helper()
	for _, name := range []string{"lossy.webp", "lossy_alpha.webp", "animated.webp", "turned.webp"} {
		data, err := os.ReadFile("../testdata/" + name)
		if err != nil {
			tb.Fatal(err)
		}
		if at := bytes.Index(data, []byte("VP8 ")); at >= 0 {
			all = append(all, data[at+8:][:binary.LittleEndian.Uint32(data[at+4:])])
		}
	}
	if len(all) < 2 {
		tb.Fatalf("%d frames, want two or more", len(all))
	}
	return all
}

// TestLikeTheOther: sound frames are those of golang.org/x/image, to the last bit.
func TestLikeTheOther(t *testing.T) {
	for i, data := range frames(t) {
		got, err := Decode(data, func() {})
		if err != nil {
			t.Fatal(err)
		}
		d := reference.NewDecoder()
		d.Init(bytes.NewReader(data), len(data))
		if _, err := d.DecodeFrameHeader(); err != nil {
			t.Fatal(err)
		}
		want, err := d.DecodeFrame()
		if err != nil {
			t.Fatal(err)
		}
		if got.Rect != want.Rect {
			t.Fatalf("frame %d: %v, want %v", i, got.Rect, want.Rect)
		}
		for y := range want.Rect.Dy() {
			for x := range want.Rect.Dx() {
				if g, w := got.YCbCrAt(x, y), want.YCbCrAt(x, y); g != w {
					t.Fatalf("frame %d at (%d, %d): %v, want %v", i, x, y, g, w)
				}
			}
		}
	}
}

// TestCut: a frame of which bytes are missing is an error, wherever it ends.
func TestCut(t *testing.T) {
	data := frames(t)[0]
	for n := range len(data) - 3 {
		if _, err := Decode(data[:n:n], func() {}); err == nil {
			t.Errorf("%d of %d bytes are a frame", n, len(data))
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range frames(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if w, h, err := Config(data); err != nil || w*h > 1<<16 {
			return
		}
		if img, err := Decode(data, func() {}); err == nil && img.Rect == (image.Rectangle{}) {
			t.Error("an image without pixels")
		}
	})
}
