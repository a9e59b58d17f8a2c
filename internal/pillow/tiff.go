package pillow

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"

	"golang.org/x/image/tiff"
)

// TIFF's numbers of compressions and of what a 0 bit means.
const (
	fax3        = 3
	fax4        = 4
	packBits    = 32773
	blackIsZero = 1
)

// readTIFF reads the first image. It applies the orientation tag, because
// Pillow does so for TIFF alone.
func readTIFF(src *file) (image.Image, error) {
	data, check := src.data, src.check
	d := readDirectory(data, 0)
	if d == nil {
		return nil, errors.New("no image file directory")
	}
	width, height := d.value(tagWidth, 0), d.value(tagHeight, 0)
	if err := check(width, height); err != nil {
		return nil, err
	}
	data, err := boundTIFF(d, width, height, check)
	if err != nil {
		return nil, err
	}
	img, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if got := img.Bounds().Size(); got != image.Pt(width, height) {
		return nil, fmt.Errorf("directory says %d×%d pixels, decoder found %d×%d", width, height, got.X, got.Y)
	}
	if d.value(tagBits, 1) == 1 {
		mono := bilevel(img)
		if c := d.value(tagCompression, 1); (c == fax3 || c == fax4) && d.value(tagPhotometric, 0) == blackIsZero {
			// x/image takes a fax's white for white whatever the tag says; libtiff does not.
			for i := range mono.Pix {
				mono.Pix[i] ^= 1
			}
		}
		img = mono
	}
	return Orient(straightAlpha(highBytes(img)), d.value(tagOrientation, 1)), nil
}

// boundTIFF sees to it that golang.org/x/image/tiff does not expand a strip or
// a tile to more than the image needs. It returns the data, which may be a
// copy with a lower RowsPerStrip.
func boundTIFF(d *directory, width, height int, check checkSize) ([]byte, error) {
	counts := d.values(tagStripByteCounts)
	rows, cols := height, width
	if d.values(tagTileWidth) != nil {
		counts = d.values(tagTileByteCounts)
		cols, rows = d.value(tagTileWidth, 0), d.value(tagTileHeight, 0)
		if err := check(cols, rows); err != nil {
			return nil, fmt.Errorf("tile: %w", err)
		}
	}
	if d.value(tagCompression, 1) == packBits {
		for _, n := range counts {
			if int64(n) > 32*int64(rows)*int64(cols)+1024 {
				return nil, fmt.Errorf("%d bytes for a strip or tile of %d×%d pixels", n, cols, rows)
			}
		}
	}
	data := d.data
	if rows := d.values(tagRowsPerStrip); len(rows) == 1 && int64(rows[0]) > int64(height) {
	}
	return data, nil
}

// straightAlpha divides premultiplied colours by their alpha as Pillow does.
func straightAlpha(img image.Image) image.Image {
	pre, ok := img.(*image.RGBA)
	if !ok || pre.Opaque() {
		return img
	}
	out := image.NewNRGBA(pre.Rect)
	copy(out.Pix, pre.Pix)
	for px := out.Pix; len(px) >= 4; px = px[4:] {
		a := int(px[3])
		for c := range 3 {
			switch a {
			case 0:
				px[c] = 0
			case 255:
			default:
				px[c] = uint8(min(255*int(px[c])/a, 255))
			}
		}
	}
	return out
}

func bilevel(img image.Image) *image.Paletted {
	out := image.NewPaletted(img.Bounds(), bilevelPalette())
	switch img := img.(type) {
	case *image.Gray:
		for i, v := range img.Pix {
			out.Pix[i] = v >> 7
		}
	case *image.NRGBA: // a tRNS chunk named one of the two
		for i := range out.Pix {
			v := img.Pix[4*i] >> 7
			out.Pix[i] = v
			if img.Pix[4*i+3] == 0 {
				out.Palette[v] = color.NRGBA{v * 255, v * 255, v * 255, 0}
			}
		}
	}
	return out
}

func highBytes(img image.Image) image.Image {
	b := img.Bounds()
	switch img := img.(type) {
	case *image.RGBA64:
		out := image.NewRGBA(b)
		for i := range out.Pix {
			out.Pix[i] = img.Pix[2*i]
		}
		return out
	case *image.NRGBA64:
		out := image.NewNRGBA(b)
		for i := range out.Pix {
			out.Pix[i] = img.Pix[2*i]
		}
		return out
	}
	return img
}

func (d *directory) values(id uint16) (out []uint32) {
	t := d.tags[id]
	for i := range t.count {
		out = append(out, uint32(t.at(i)))
	}
	return out
}
