package pillow

import (
	"encoding/binary"
	"image"
	"image/color"
)

// canvas is an image that a decoder fills. Until then it is black: index 0,
// opaque where the image has no alpha.
type canvas struct {
	img           image.Image
	pix           []byte
	width, height int
	stride, size  int // of a row and of a pixel, in bytes
}

// newCanvas takes the memory for an image; of a palette 256 colours.
func newCanvas(m mode, width, height int, p color.Palette) *canvas {
	c := &canvas{width: width, height: height, size: bytesPerPixel[m]}
	c.stride = width * c.size
	c.pix = make([]byte, c.stride*height)
	b := image.Rect(0, 0, width, height)
	switch m {
	case modeRGB:
		copy(c.pix, "\x00\x00\x00\xff")
		for n := 4; n < len(c.pix); n *= 2 {
			copy(c.pix[n:], c.pix[:n])
		}
		c.img = &image.RGBA{Pix: c.pix, Stride: c.stride, Rect: b}
	case modeRGBA:
		c.img = &image.NRGBA{Pix: c.pix, Stride: c.stride, Rect: b}
	case modeCMYK:
		c.img = &image.CMYK{Pix: c.pix, Stride: c.stride, Rect: b}
	case modeGray:
		c.img = &image.Gray{Pix: c.pix, Stride: c.stride, Rect: b}
	case modeIndexed:
		c.img = &image.Paletted{Pix: c.pix, Stride: c.stride, Rect: b, Palette: p}
	case modeLAB, modeYCC:
		c.img = newSpaced(Space(m-modeLAB), c.pix, c.stride, b)
	case modeWide:
		c.img = &image.Gray16{Pix: c.pix, Stride: c.stride, Rect: b}
	}
	return c
}

// rowBytes returns the length of a row of pixels of so many bits.
func rowBytes(width, bits int) int { return int((int64(width)*int64(bits) + 7) / 8) }

// row returns the y-th row from the top.
func (c *canvas) row(y int) []byte { return c.pix[y*c.stride:][:c.stride] }

// rows fills the canvas with rows that lie stride bytes apart in data, from the
// top or from the bottom up. What follows the last pixel may be missing.
func (c *canvas) rows(data []byte, stride, bits int, bottomUp bool, u unpacker) error {
	need := rowBytes(c.width, bits)
	for i := range c.height {
		if len(data) < need {
			return cutOff(i, c.height)
		}
		y := i
		if bottomUp {
			y = c.height - 1 - i
		}
		u(c.row(y), data, c.width, c.size)
		data = data[min(stride, len(data)):]
	}
	return nil
}

// unpacker writes n pixels of src to dst, whose pixels are step bytes apart.
type unpacker func(dst, src []byte, n, step int)

// unpackBits is for samples of depth bits, which it multiplies by scale.
func unpackBits(depth int, scale uint8) unpacker {
	if depth == 8 && scale == 1 {
		return unpackBytes
	}
	mask := uint8(1<<depth - 1)
	return func(dst, src []byte, n, step int) {
		for i := range n {
			bit := i * depth
			dst[i*step] = src[bit/8] >> (8 - depth - bit%8) & mask * scale
		}
	}
}

func unpackBytes(dst, src []byte, n, step int) {
	if step == 1 {
		copy(dst, src[:n])
		return
	}
	for i, v := range src[:n] {
		dst[i*step] = v
	}
}

// unpackColour is for pixels of size bytes whose red, green, blue and alpha are
// those at r, g, b and a; where a is negative they are opaque.
func unpackColour(size, r, g, b, a int) unpacker {
	plain := unpackBytewise(size, r, g, b, a)
	if !hasAVX2 || size > 4 {
		return plain
	}
	var order, alpha [16]uint8
	for i := 0; i < 16; i += 4 {
		at := i / 4 * size
		order[i], order[i+1], order[i+2] = uint8(at+r), uint8(at+g), uint8(at+b)
		if a >= 0 {
			order[i+3] = uint8(at + a)
		} else {
			order[i+3], alpha[i+3] = 0x80, 255
		}
	}
	return func(dst, src []byte, n, step int) {
		// Sixteen bytes are read of any four pixels.
		if n8 := min(n, (len(src)+4*size-16)/size) / 8; step == 4 && n8 > 0 {
			_, _ = dst[32*n8-1], src[8*n8*size-1]
			shuffleAVX2(&dst[0], &src[0], n8, size, &order, &alpha)
			dst, src, n = dst[32*n8:], src[8*n8*size:], n-8*n8
		}
		plain(dst, src, n, step)
	}
}

// unpackBytewise is unpackColour one byte after another.
func unpackBytewise(size, r, g, b, a int) unpacker {
	if size == 3 && r == 0 && g == 1 && b == 2 {
		return unpackRGB
	}
	return func(dst, src []byte, n, step int) {
		for i := range n {
			d, s := dst[i*step:i*step+4:i*step+4], src[i*size:i*size+size:i*size+size]
			d[0], d[1], d[2] = s[r], s[g], s[b]
			if a >= 0 {
				d[3] = s[a]
			} else {
				d[3] = 255
			}
		}
	}
}

func unpackRGB(dst, src []byte, n, step int) {
	src = src[:3*n]
	for ; len(src) >= 4 && len(dst) >= 4; src, dst = src[3:], dst[min(step, len(dst)):] {
		binary.LittleEndian.PutUint32(dst, binary.LittleEndian.Uint32(src)|0xff<<24)
	}
	if len(src) >= 3 {
		copy(dst[:4], []byte{src[0], src[1], src[2], 255})
	}
}

// unpackWords is for 16-bit samples, whose high byte is first.
func unpackWords(dst, src []byte, n, step int) {
	for i := range n {
		dst[i*step], dst[i*step+1] = src[2*i], src[2*i+1]
	}
}

// blackPalette returns a palette of 256 colours of which data holds the first,
// 3 bytes each; those that it lacks are black, as in Pillow.
func blackPalette(data []byte) color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		c := color.NRGBA{A: 255}
		if 3*i+3 <= len(data) {
			c.R, c.G, c.B = data[3*i], data[3*i+1], data[3*i+2]
		}
		p[i] = c
	}
	return p
}

// rampPalette is grey, each index its brightness.
func rampPalette() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.NRGBA{uint8(i), uint8(i), uint8(i), 255}
	}
	return p
}

// bilevelPalette is that of a 1-bit image, which tells it from 8-bit grey.
func bilevelPalette() color.Palette {
	p := make(color.Palette, 256)
	p[0] = color.Gray{0}
	for i := 1; i < len(p); i++ {
		p[i] = color.Gray{255}
	}
	return p
}

// gray returns the indices as brightness.
func (c *canvas) gray() *image.Gray {
	return &image.Gray{Pix: c.pix, Stride: c.stride, Rect: image.Rect(0, 0, c.width, c.height)}
}
