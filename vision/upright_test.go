package vision_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"slices"
	"testing"

	"github.com/goclip/goclip/vision"
)

// onItsSide is a PNG of 8×4 pixels whose left half is red, and whose EXIF says that the
// right side is to be seen above (orientation 8).
func onItsSide(t *testing.T) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 8, 4))
	for y := range 4 {
		for x := range 8 {
			img.SetNRGBA(x, y, color.NRGBA{A: 255})
			if x < 4 {
				img.SetNRGBA(x, y, color.NRGBA{R: 255, A: 255})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	exif := "eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00"
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(exif)-4))
	chunk = binary.BigEndian.AppendUint32(append(chunk, exif...), crc32.ChecksumIEEE([]byte(exif)))
	const header = 8 + 12 + 13
	return slices.Concat(b.Bytes()[:header], chunk, b.Bytes()[header:])
}

// TestPreprocessUpright: an image is turned where the preprocessing says so, whoever has
// decoded it, and is as it is stored otherwise.
func TestPreprocessUpright(t *testing.T) {
	data := onItsSide(t)
	stored, err := vision.Decode(bytes.NewReader(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	turned, err := vision.Decode(bytes.NewReader(data), &vision.DecodeOptions{Upright: true})
	if err != nil {
		t.Fatal(err)
	}
	if s, u := stored.Bounds(), turned.Bounds(); s != image.Rect(0, 0, 8, 4) || u != image.Rect(0, 0, 4, 8) || vision.Upright(stored).Bounds() != u {
		t.Fatalf("bounds %v, upright %v", s, u)
	}
	seen := func(p vision.Preprocess, img image.Image) (corners [2]uint8) {
		rgb, err := p.RGB(img)
		if err != nil {
			t.Fatal(err)
		}
		pixels := make([]float32, p.Len())
		if err := p.Image(pixels, img); err != nil {
			t.Fatal(err)
		}
		for i, px := range pixels[:len(pixels)/3] {
			if px != float32(rgb.Pix[4*i])/255 {
				t.Fatalf("pixel %d is %v, want %d", i, px, rgb.Pix[4*i])
			}
		}
		last := rgb.Rect.Max.Sub(image.Pt(1, 1))
		return [2]uint8{rgb.RGBAAt(last.X, 0).R, rgb.RGBAAt(0, last.Y).R} // right above, left below
	}
	p := vision.Preprocess{Size: [2]int{4, 4}, Resize: vision.ResizeSquash, Interpolation: vision.Nearest, Std: [3]float32{1, 1, 1}}
	up := p
	up.Upright = true
	for name, c := range map[string]struct {
		p    vision.Preprocess
		img  image.Image
		want [2]uint8
	}{
		"as stored":      {p, stored, [2]uint8{0, 255}},
		"upright":        {up, stored, [2]uint8{0, 255}},
		"turned already": {up, turned, [2]uint8{0, 255}},
	} {
		if got := seen(c.p, c.img); got != c.want {
			t.Errorf("%s: corners %v, want %v", name, got, c.want)
		}
	}
	// The half that is red tells left from below.
	for name, c := range map[string]struct {
		p    vision.Preprocess
		want bool // red above on the left
	}{"as stored": {p, true}, "upright": {up, false}} {
		rgb, err := c.p.RGB(stored)
		if err != nil {
			t.Fatal(err)
		}
		if got := rgb.RGBAAt(0, 0).R == 255; got != c.want {
			t.Errorf("%s: red above on the left %t, want %t", name, got, c.want)
		}
	}
	open := vision.Preprocess{Steps: vision.StepsTransformers, Scale: [2]int{4, 0}, Std: [3]float32{1, 1, 1}}
	for upright, want := range map[bool][2]int{false: {4, 8}, true: {8, 4}} {
		open.Upright = upright
		if got, err := open.Shape(stored); err != nil || got != want {
			t.Errorf("upright %t: shape %v, %v, want %v", upright, got, err, want)
		}
	}
	patches := vision.Preprocess{PatchSize: 2, MaxPatches: 8, Resize: vision.ResizeSquash, Std: [3]float32{1, 1, 1}, Upright: true}
	if grid, err := patches.Patches(make([]float32, patches.Len()), stored); err != nil || grid != [2]int{4, 2} {
		t.Errorf("grid %v, %v, want 4 × 2", grid, err)
	}
}

// TestDecodeContext: a context that has ended is the error.
func TestDecodeContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := vision.DecodeContext(ctx, bytes.NewReader(onItsSide(t)), nil); err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := vision.DecodeContext(ctx, bytes.NewReader(onItsSide(t)), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
