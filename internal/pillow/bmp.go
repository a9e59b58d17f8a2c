package pillow

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"io"
)

// bmpFile is a parsed BMP header. It follows Pillow in what it accepts.
type bmpFile struct {
	width, height int
	topDown       bool
	bits          int
	compression   uint32
	masks         [4]uint32 // red, green, blue, alpha
	colours       int
	table         []byte // tableStep bytes a colour: blue, green, red
	tableStep     int
	pixels        []byte
}

// BMP's compressions.
const (
	bmpRaw = iota
	bmpRLE8
	bmpRLE4
	bmpBitfields
)

func readBMP(data []byte, check checkSize) (image.Image, error) {
	f, err := parseBMP(data)
	if err != nil {
		return nil, err
	}
	if err := check(f.width, f.height); err != nil {
		return nil, err
	}
	if f.compression == bmpRLE8 || f.compression == bmpRLE4 {
		if f.bits > 8 {
			return nil, fmt.Errorf("run lengths with %d bits a pixel", f.bits)
		}
		f.pixels, f.bits = f.expand(), 8
	}
	if need := f.stride() * f.height; len(f.pixels) < need {
		return nil, fmt.Errorf("%d bytes of pixels, want %d: %w", len(f.pixels), need, io.ErrUnexpectedEOF)
	}
	if f.bits <= 8 {
		return f.indexed(), nil
	}
	return f.colour()
}

func parseBMP(data []byte) (*bmpFile, error) {
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	if len(data) < 18 {
		return nil, io.ErrUnexpectedEOF
	}
	offset, size := int64(u32(data[10:])), int64(u32(data[14:]))
	if int64(len(data)) < 14+size {
		return nil, io.ErrUnexpectedEOF
	}
	head := data[14 : 14+size]
	f := &bmpFile{tableStep: 4}
	switch size {
	case 12:
		f.width, f.height = int(u16(head[4:])), int(u16(head[6:]))
		f.bits, f.tableStep = int(u16(head[10:])), 3
	case 40, 64, 108, 124:
		f.width, f.height = int(int32(u32(head[4:]))), int(int32(u32(head[8:])))
		if f.height < 0 {
			f.height, f.topDown = -f.height, true
		}
		f.bits, f.compression = int(u16(head[14:])), u32(head[16:])
		f.colours = int(u32(head[32:]))
	default:
		return nil, fmt.Errorf("header of %d bytes", size)
	}
	switch f.bits {
	case 1, 2, 4, 8, 16, 24, 32:
	default:
		return nil, fmt.Errorf("%d bits a pixel", f.bits)
	}
	if f.compression > bmpBitfields {
		return nil, fmt.Errorf("compression %d", f.compression)
	}
	rest := data[14+size:]
	if f.compression == bmpBitfields {
		fields, n := rest, 3
		if size > 40 {
			fields, n = head[40:], 4
		}
		if len(fields) < 4*n {
			return nil, io.ErrUnexpectedEOF
		}
		for i := range n {
			f.masks[i] = u32(fields[4*i:])
		}
	}
	if f.bits <= 8 {
		if f.colours == 0 {
			f.colours = 1 << f.bits
		}
		if f.colours < 0 || f.colours > 1<<16 || len(rest) < f.colours*f.tableStep {
			return nil, fmt.Errorf("colour table of %d entries does not fit in the file", f.colours)
		}
		f.table, rest = rest[:f.colours*f.tableStep], rest[f.colours*f.tableStep:]
	}
	// Files exist whose offset forgets the colour table.
	if start := int64(len(data) - len(rest)); offset < start && f.bits <= 8 || offset == 0 {
		offset = start
	}
	f.pixels = data[min(offset, int64(len(data))):]
	return f, nil
}

func (f *bmpFile) stride() int { return (f.width*f.bits + 31) / 32 * 4 }

// row returns the y-th row from the top.
func (f *bmpFile) row(y int) []byte {
	if !f.topDown {
		y = f.height - 1 - y
	}
	return f.pixels[y*f.stride():][:f.stride()]
}

// indexed returns an image of 1, 4 or 8 bits a pixel: grey or 1-bit where the
// colour table says no more, as Pillow decides it.
func (f *bmpFile) indexed() image.Image {
	img := image.NewPaletted(image.Rect(0, 0, f.width, f.height), nil)
	perByte, mask := 8/f.bits, byte(1<<f.bits-1)
	for y := range f.height {
		row := f.row(y)
		out := img.Pix[y*img.Stride:][:f.width]
		for x := range out {
			shift := f.bits * (perByte - 1 - x%perByte)
			out[x] = row[x/perByte] >> shift & mask
		}
	}
	p := make(color.Palette, min(f.colours, 256))
	for i := range p {
		c := f.table[i*f.tableStep:]
		p[i] = color.NRGBA{c[2], c[1], c[0], 255}
	}
	img.Palette = fullPalette(p)
	black, white := color.NRGBA{A: 255}, color.NRGBA{255, 255, 255, 255}
	if len(p) == 2 && p[0] == black && p[1] == white {
		img.Palette = bilevelPalette()
		return img
	}
	return grayRamp(img)
}

// colour returns an image of 16, 24 or 32 bits a pixel.
func (f *bmpFile) colour() (image.Image, error) {
	masks := f.masks
	switch {
	case f.compression == bmpRaw && f.bits == 16:
		masks = [4]uint32{0x7c00, 0x3e0, 0x1f, 0}
	case f.compression == bmpRaw:
		masks = [4]uint32{0xff0000, 0xff00, 0xff, 0}
	case masks == [4]uint32{}:
		masks = [4]uint32{0xff0000, 0xff00, 0xff, 0xff000000}
	}
	var fields [4]bmpField
	for i, m := range masks {
		fields[i] = newBMPField(m)
	}
	img := image.NewRGBA(image.Rect(0, 0, f.width, f.height))
	size := f.bits / 8
	for y := range f.height {
		row := f.row(y)
		out := img.Pix[y*img.Stride:][:4*f.width]
		for i := 0; i < len(out); i += 4 {
			var px uint32
			for j := size - 1; j >= 0; j-- {
				px = px<<8 | uint32(row[j])
			}
			row = row[size:]
			out[i], out[i+1], out[i+2], out[i+3] = fields[0].of(px), fields[1].of(px), fields[2].of(px), 255
			if masks[3] != 0 {
				out[i+3] = fields[3].of(px)
			}
		}
	}
	if masks[3] != 0 {
		return &image.NRGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}, nil
	}
	return img, nil
}

// bmpField takes one channel out of a pixel and scales it to 8 bits.
type bmpField struct {
	mask, top uint32
	shift     int
}

func newBMPField(mask uint32) bmpField {
	f := bmpField{mask: mask, top: 1}
	for mask != 0 && mask&1 == 0 {
		mask >>= 1
		f.shift++
	}
	f.top = max(mask, 1)
	return f
}

func (f bmpField) of(px uint32) uint8 {
	return uint8(uint64(px&f.mask>>f.shift) * 255 / uint64(f.top))
}

// expand undoes run-length coding, to rows of 8-bit indices in the file's order.
func (f *bmpFile) expand() []byte {
	wide := *f
	wide.bits = 8
	stride := wide.stride()
	out := make([]byte, stride*f.height)
	x, y := 0, 0
	put := func(index byte) {
		if x < f.width && y < f.height {
			out[y*stride+x] = index
		}
		x++
	}
	src := f.pixels
	for len(src) >= 2 && y < f.height {
		n, code := int(src[0]), src[1]
		src = src[2:]
		switch {
		case n > 0:
			for i := range min(n, max(f.width-x, 0)) {
				put(f.nibble(code, i))
			}
		case code == 0:
			x, y = 0, y+1
		case code == 1:
			return out
		case code == 2:
			if len(src) < 2 {
				return out
			}
			x, y = x+int(src[0]), y+int(src[1])
			src = src[2:]
		default:
			n = int(code)
			size := n
			if f.compression == bmpRLE4 {
				size = (n + 1) / 2
			}
			if len(src) < size {
				return out
			}
			for i := range n {
				if f.compression == bmpRLE4 {
					put(f.nibble(src[i/2], i))
				} else {
					put(src[i])
				}
			}
			src = src[min(size+size%2, len(src)):]
		}
	}
	return out
}

// nibble returns the i-th index of a run of code.
func (f *bmpFile) nibble(code byte, i int) byte {
	switch {
	case f.compression == bmpRLE8:
		return code
	case i%2 == 0:
		return code >> 4
	}
	return code & 15
}
