package pillow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math/bits"
	"strings"
)

// icoEntry is one image of an icon.
type icoEntry struct {
	width, height int
	bits          int // as the entry says
	depth         int // what Pillow takes for it
	offset, size  int64
}

// readICO reads the largest image of an icon, and of those of one size that of
// the fewest bits, as Pillow does.
func readICO(src *file) (image.Image, error) {
	e, err := largestIcon(src.data)
	if err != nil {
		return nil, err
	}
	inner := *src
	inner.data = src.data[min(e.offset, int64(len(src.data))):]
	if strings.HasPrefix(string(inner.data[:min(8, len(inner.data))]), pngSignature) {
		return readPNG(&inner)
	}
	b, err := parseBMP(inner.data, 0, 0)
	if err != nil {
		return nil, err
	}
	b.height /= 2 // the other half is the mask
	img, err := b.read(&inner)
	if err != nil {
		return nil, err
	}
	alpha, err := e.alpha(src.data, b)
	if err != nil {
		if src.truncated {
			return img, nil
		}
		return nil, err
	}
	return withAlpha(img, alpha), nil
}

func largestIcon(data []byte) (best icoEntry, err error) {
	if len(data) < 6 {
		return best, fmt.Errorf("%d bytes", len(data))
	}
	n := int(binary.LittleEndian.Uint16(data[4:]))
	if n == 0 || len(data) < 6+16*n {
		return best, fmt.Errorf("%d bytes with %d icons", len(data), n)
	}
	for i := range n {
		s := data[6+16*i:]
		side := func(v byte) int { return int(v-1) + 1 } // 0 means 256
		e := icoEntry{
			width: side(s[0]), height: side(s[1]), bits: int(binary.LittleEndian.Uint16(s[6:])),
			size: int64(binary.LittleEndian.Uint32(s[8:])), offset: int64(binary.LittleEndian.Uint32(s[12:])),
		}
		if e.depth = e.bits; e.depth == 0 && s[2] != 0 {
			e.depth = bits.Len8(s[2] - 1)
		}
		if e.depth == 0 {
			e.depth = 256
		}
		if larger := e.width*e.height - best.width*best.height; larger > 0 || larger == 0 && e.depth < best.depth {
			best = e
		}
	}
	return best, nil
}

// alpha returns the opacity of each pixel: the fourth bytes of 32-bit pixels, or
// what the mask behind the pixels leaves.
func (e icoEntry) alpha(data []byte, b *bmpFile) (*canvas, error) {
	c := newCanvas(modeGray, b.width, b.height, nil)
	if e.bits == 32 {
		pixels := b.data[min(b.pixels, int64(len(b.data))):]
		return c, c.rows(pixels, 4*b.width, 32, true, func(dst, src []byte, n, _ int) {
			for i := range n {
				dst[i] = src[4*i+3]
			}
		})
	}
	stride := (b.width + 31) / 32 * 4
	at := e.offset + e.size - int64(stride)*int64(b.height)
	if at < 0 || at > int64(len(data)) {
		return c, errors.New("the mask is outside of the file")
	}
	return c, c.rows(data[at:], stride, 1, true, func(dst, src []byte, n, _ int) {
		unpackBits(1, 255)(dst, src, n, 1)
		for i := range dst[:n] {
			dst[i] ^= 255
		}
	})
}

// withAlpha returns img with other opacities.
func withAlpha(img image.Image, alpha *canvas) image.Image {
	c := newCanvas(modeRGBA, alpha.width, alpha.height, nil)
	switch img := img.(type) {
	case *image.Paletted:
		for i, v := range img.Pix {
			p := color.NRGBAModel.Convert(img.Palette[v]).(color.NRGBA)
			c.pix[4*i], c.pix[4*i+1], c.pix[4*i+2] = p.R, p.G, p.B
		}
	case *image.Gray:
		for i, v := range img.Pix {
			c.pix[4*i], c.pix[4*i+1], c.pix[4*i+2] = v, v, v
		}
	case *image.RGBA:
		copy(c.pix, img.Pix)
	case *image.NRGBA:
		copy(c.pix, img.Pix)
	}
	for i, a := range alpha.pix {
		c.pix[4*i+3] = a
	}
	return c.img
}
