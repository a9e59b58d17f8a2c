package pillow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"image"
	"image/color"
	"io"

	"github.com/goclip/goclip/internal/inflate"
)

// pngPass is a set of rows of the image; there are seven in an interlaced one.
type pngPass struct{ x, y, dx, dy int }

func pngPasses(interlaced bool) []pngPass {
	if !interlaced {
		return []pngPass{{0, 0, 1, 1}}
	}
	return []pngPass{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
}

func (p pngPass) columns(width int) int { return (width - p.x + p.dx - 1) / p.dx }

// rows fills the image with pixels of so many bits. Of a stream that ends early,
// but in order and with its sum, the missing rows stay empty, as in Pillow. A sum
// that is wrong loses the row that ends with the stream, or else what there is of one.
func (h *pngHeader) rows(f *file, c *canvas, unpack unpacker, bits int) error {
	z, err := newPNGStream(&pngData{file: h.pixels})
	if err != nil {
		return err
	}
	width, height := h.box.Dx(), h.box.Dy()
	row, above := make([]byte, 1+rowBytes(width, bits)+1), make([]byte, 1+rowBytes(width, bits)+1)
	filled := 0
	put := func([]byte) {} // where the last row is
	for _, p := range pngPasses(h.interlaced) {
		n := p.columns(width)
		if n <= 0 {
			continue
		}
		row, above = row[:1+rowBytes(n, bits)], above[:1+rowBytes(n, bits)]
		clear(above)
		for y := p.y; y < height; y += p.dy {
			f.live()
			switch err := z.row(row); {
			case errors.Is(err, io.EOF):
				return nil
			case errors.Is(err, io.ErrUnexpectedEOF):
				return cutOff(filled, width*height)
			case errors.Is(err, errPNGSum):
				if z.fresh {
					clear(row)
					put(row[1:])
				}
				return damaged(filled, width*height, err)
			case err != nil:
				return damaged(filled, width*height, err)
			}
			if err := unfilter(row, above, (bits+7)/8); err != nil {
				return damaged(filled, width*height, err)
			}
			put = func(row []byte) {
				unpack(c.row(h.box.Min.Y + y)[(h.box.Min.X+p.x)*c.size:], row, n, p.dx*c.size)
			}
			put(row[1:])
			row, above = above, row
			filled += n
		}
	}
	if err := z.end(); errors.Is(err, errPNGSum) {
		clear(row)
		put(row[1:])
		return damaged(filled, width*height, err)
	}
	return nil
}

// pngStream is the zlib stream of the pixels.
type pngStream struct {
	*inflate.Reader
	sum   hash.Hash32
	fresh bool // no byte of the row has come yet, so zlib looked at the sum with the row before
}

func newPNGStream(data *pngData) (*pngStream, error) {
	var head [2]byte
	for i := range head {
		c, err := data.ReadByte()
		if err != nil {
			return nil, cutOff(0, 1)
		}
		head[i] = c
	}
	if binary.BigEndian.Uint16(head[:])%31 != 0 || head[0]&15 != 8 || head[0]>>4 > 7 || head[1]&0x20 != 0 {
		return nil, damaged(0, 1, fmt.Errorf("pixels that begin with %#02x, want a zlib stream", head))
	}
	return &pngStream{Reader: inflate.New(data.piece), sum: adler32.New()}, nil
}

var errPNGSum = errors.New("the sum of the pixels is another than the file's")

// row fills p. It returns io.EOF where the stream ends in order before it,
// io.ErrUnexpectedEOF where data are missing, or what is wrong with them.
func (s *pngStream) row(p []byte) error {
	n, err := s.Read(p)
	s.fresh = n == 0
	s.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		return s.check()
	}
	return err
}

// check compares the sum behind the stream.
func (s *pngStream) check() error {
	switch sum, ok := s.Trailer(); {
	case !ok:
		return io.ErrUnexpectedEOF
	case sum != s.sum.Sum32():
		return errPNGSum
	}
	return io.EOF
}

// end looks at what follows the last row in its chunk. More pixels do not matter, nor
// that the end is missing.
func (s *pngStream) end() error {
	s.End()
	if n, err := s.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return err
	}
	return s.check()
}

// canvas returns an empty image of the file's kind, and what unpacks its rows.
// Where tRNS names a colour, finish makes a Keyed of it.
func (h *pngHeader) canvas() (*canvas, unpacker) {
	depth, sample := int(h.depth), int(h.depth+7)/8
	blank := func(m mode) *canvas { return newCanvas(m, h.width, h.height, nil) }
	switch {
	case h.colour == pngPalette || h.colour == pngGray && depth == 1:
		return newCanvas(modeIndexed, h.width, h.height, h.colours()), unpackBits(depth, 1)
	case h.colour == pngGray && depth == 16:
		return blank(modeWide), unpackWords
	case h.colour == pngGray:
		return blank(modeGray), unpackBits(depth, uint8(255/(1<<depth-1)))
	case h.colour == pngRGB:
		return blank(modeRGB), h.unpackRGB()
	case h.colour == pngGrayAlpha:
		return blank(modeRGBA), unpackColour(2*sample, 0, 0, 0, sample)
	}
	return blank(modeRGBA), unpackColour(4*sample, 0, sample, 2*sample, 3*sample)
}

// unpackRGB is for opaque pixels. Those of the colour that tRNS names get alpha
// 0, which finish sorts out.
func (h *pngHeader) unpackRGB() unpacker {
	sample := int(h.depth) / 8
	plain := unpackColour(3*sample, 0, sample, 2*sample, -1)
	if len(h.alphas) < 6 {
		return plain
	}
	var key []byte // as the file stores it
	for c := range 3 {
		key = append(key, h.alphas[2*c+2-sample:2*c+2]...)
		if sample == 1 && h.alphas[2*c] != 0 {
			return plain // no colour of 8 bits
		}
	}
	return func(dst, src []byte, n, step int) {
		plain(dst, src, n, step)
		for i := range n {
			if string(src[i*len(key):(i+1)*len(key)]) == string(key) {
				dst[i*step+3] = 0
			}
		}
	}
}

// colours returns the palette of an image of indices or of 1-bit grey.
func (h *pngHeader) colours() color.Palette {
	if h.colour == pngGray {
		p := bilevelPalette()
		if len(h.alphas) >= 2 {
			v := min(h.alphas[0]|h.alphas[1], 1)
			p[v] = color.NRGBA{v * 255, v * 255, v * 255, 0}
		}
		return p
	}
	p := blackPalette(h.palette)
	for i, a := range h.alphas[:min(len(h.alphas), 256)] {
		c := p[i].(color.NRGBA)
		c.A = a
		p[i] = c
	}
	return p
}

// finish returns img, with the colour that tRNS declares transparent.
func (h *pngHeader) finish(img image.Image) image.Image {
	if h.alphas == nil {
		return img
	}
	b := img.Bounds()
	switch img := img.(type) {
	case *image.Gray:
		key := int(binary.BigEndian.Uint16(h.alphas)) * 255 / (1<<h.depth - 1)
		out := image.NewNRGBA(b)
		for i, v := range img.Pix {
			px := out.Pix[4*i : 4*i+4 : 4*i+4]
			px[0], px[1], px[2], px[3] = v, v, v, 255
			if int(v) == key {
				px[3] = 0
			}
		}
		return &Keyed{Image: out, Opaque: img}
	case *image.Gray16:
		out := image.NewNRGBA(b)
		for i := 0; i < len(img.Pix); i += 2 {
			px, v := out.Pix[2*i:2*i+4:2*i+4], img.Pix[i]
			px[0], px[1], px[2], px[3] = v, v, v, 255
			if v == h.alphas[0] && img.Pix[i+1] == h.alphas[1] {
				px[3] = 0
			}
		}
		return &Keyed{Image: out, Opaque: img}
	case *image.RGBA:
		keyed := &image.NRGBA{Pix: append([]byte(nil), img.Pix...), Stride: img.Stride, Rect: b}
		for i := 3; i < len(img.Pix); i += 4 {
			img.Pix[i] = 255
		}
		return &Keyed{Image: keyed, Opaque: img}
	}
	return img
}
