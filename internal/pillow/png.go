package pillow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// PNG's colour types.
const (
	pngGray      = 0
	pngRGB       = 2
	pngPalette   = 3
	pngGrayAlpha = 4
	pngRGBA      = 6
)

// deflateRatio is the most that one byte of a deflate stream can stand for.
const deflateRatio = 1032

func readPNG(data []byte, check checkSize) (image.Image, error) {
	if len(data) < 29 || string(data[8:16]) != "\x00\x00\x00\rIHDR" {
		return nil, errors.New("no IHDR chunk at the start")
	}
	width, height := binary.BigEndian.Uint32(data[16:]), binary.BigEndian.Uint32(data[20:])
	if width > 1<<31-1 || height > 1<<31-1 {
		return nil, fmt.Errorf("size %d×%d is out of range", width, height)
	}
	if err := check(int(width), int(height)); err != nil {
		return nil, err
	}
	depth, colour := data[24], data[25]
	channels := [8]int64{pngGray: 1, pngRGB: 3, pngPalette: 1, pngGrayAlpha: 2, pngRGBA: 4}[colour&7]
	if raw := (int64(width)*channels*int64(depth) + 7) / 8 * int64(height); raw/deflateRatio > int64(len(data)) {
		return nil, fmt.Errorf("%d bytes cannot hold %d×%d pixels", len(data), width, height)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch {
	case colour == pngPalette:
		if img, ok := img.(*image.Paletted); ok {
			img.Palette = fullPalette(img.Palette[:min(len(img.Palette), pngColours(data))])
		}
		return img, nil
	case colour == pngGray && depth == 1:
		return bilevel(img), nil
	case colour == pngGray || colour == pngRGB:
		if opaque := withoutKey(img, colour); opaque != nil {
			return &Keyed{Image: highBytes(img), Opaque: opaque}, nil
		}
	}
	return highBytes(img), nil
}

// pngColours returns how many colours the PLTE chunk of a valid file holds.
func pngColours(data []byte) int {
	for data = data[8:]; len(data) >= 12; {
		n := int(binary.BigEndian.Uint32(data))
		if string(data[4:8]) == "PLTE" {
			return n / 3
		}
		data = data[min(n+12, len(data)):]
	}
	return 0
}

// fullPalette returns p extended to 256 colours, so that every index is in it.
// Those that the file lacks are grey of their index's brightness, as Pillow has
// them.
func fullPalette(p color.Palette) color.Palette {
	full := make(color.Palette, 256)
	for i := copy(full, p); i < len(full); i++ {
		full[i] = color.NRGBA{uint8(i), uint8(i), uint8(i), 255}
	}
	return full
}

// bilevel turns a 1-bit grey image, of values 0 and 255, into one of a
// palette, so that it is told from 8-bit grey.
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

func bilevelPalette() color.Palette {
	p := make(color.Palette, 256)
	p[0] = color.Gray{0}
	for i := 1; i < len(p); i++ {
		p[i] = color.Gray{255}
	}
	return p
}

// withoutKey returns img as it would be without its tRNS chunk, or nil where
// it has none.
func withoutKey(img image.Image, colour byte) image.Image {
	b := img.Bounds()
	if colour == pngRGB {
		img = highBytes(img)
	}
	switch img := img.(type) {
	case *image.NRGBA:
		if colour == pngGray {
			out := image.NewGray(b)
			for i := range out.Pix {
				out.Pix[i] = img.Pix[4*i]
			}
			return out
		}
		out := image.NewRGBA(b)
		copy(out.Pix, img.Pix)
		for i := 3; i < len(out.Pix); i += 4 {
			out.Pix[i] = 255
		}
		return out
	case *image.NRGBA64:
		out := image.NewGray16(b)
		for i := 0; i < len(out.Pix); i += 2 {
			out.Pix[i], out.Pix[i+1] = img.Pix[4*i], img.Pix[4*i+1]
		}
		return out
	}
	return nil
}

// highBytes reduces colours of 16 bits a channel to 8; grey stays.
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
