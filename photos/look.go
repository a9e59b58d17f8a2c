package photos

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/bits"
	"strconv"

	"github.com/goclip/goclip/internal/pillow"
)

// Look is the difference hash of a photograph (dHash, N. Krawetz, 2013): reduced to 9×8 greys,
// which of two neighbours in a row is the brighter, a bit for each. It hardly changes when a
// file is compressed anew, scaled, brightened or turned by its orientation.
type Look uint64

// Distance is the number of bits that differ, 0 to 64. Photographs that have nothing to do
// with each other differ in 32, more or less.
func (l Look) Distance(other Look) int { return bits.OnesCount64(uint64(l ^ other)) }

// MarshalText writes 16 hexadecimal digits.
func (l Look) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(l)), nil }

// UnmarshalText reads them.
func (l *Look) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) != 16 {
		return fmt.Errorf("photos: look %q, want 16 hexadecimal digits", text)
	}
	*l = Look(v)
	return nil
}

// lookOf is of an image of 4 bytes a pixel.
func lookOf(img image.Image) (Look, error) {
	const width, height = 9, 8
	grey, err := render(img, width, height)
	if err != nil {
		return 0, err
	}
	luma := func(x, y int) int {
		p := grey.Pix[4*(y*width+x):]
		return 299*int(p[0]) + 587*int(p[1]) + 114*int(p[2]) // ITU-R BT.601
	}
	var l Look
	for y := range height {
		for x := range width - 1 {
			l <<= 1
			if luma(x, y) > luma(x+1, y) {
				l |= 1
			}
		}
	}
	return l, nil
}

// A thumbnail is at most so many pixels on either side, and so many bytes.
const (
	thumbSide  = 256
	thumbBytes = 64 << 10
)

// small makes a photograph, as a file stores it, upright and at most thumbSide on either side.
func small(img image.Image) (image.Image, error) {
	stored := pillow.Stored(img)
	size := stored.Bounds().Size()
	long := max(size.X, size.Y)
	fit := func(n int) int { return max(1, (n*min(long, thumbSide)+long/2)/long) }
	out, err := render(stored, fit(size.X), fit(size.Y))
	if err != nil {
		return nil, err
	}
	if t, ok := img.(*pillow.Turned); ok {
		return pillow.Orient(out, t.Orientation), nil
	}
	return out, nil
}

func render(img image.Image, width, height int) (*image.RGBA, error) {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	f := pillow.Fit{Size: [2]int{height, width}, Resize: pillow.Squash, Filter: pillow.Bicubic, Ground: color.White}
	return out, f.Render(out.Pix, img)
}

// thumbnail is a JPEG of what small returns.
func thumbnail(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	for quality := 80; quality > 0; quality -= 20 {
		b.Reset()
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			return nil, err
		}
		if b.Len() <= thumbBytes {
			return b.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("a thumbnail of %d bytes, want at most %d", b.Len(), thumbBytes)
}
