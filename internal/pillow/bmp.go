package pillow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
)

// bmpFile is a parsed header of a BMP, or of a DIB, which has no file header.
// It follows Pillow in what it accepts.
type bmpFile struct {
	data          []byte
	width, height int
	topDown       bool
	bits          int
	compression   uint32
	masks         [4]uint32 // red, green, blue, alpha
	colours       int
	table         []byte // tableStep bytes a colour: blue, green, red
	tableStep     int
	pixels        int64 // where they begin in data
}

// BMP's compressions.
const (
	bmpRaw = iota
	bmpRLE8
	bmpRLE4
	bmpBitfields
)

func readBMP(f *file) (image.Image, error) {
	if len(f.data) < 14 {
		return nil, errors.New("the file header is cut off")
	}
	b, err := parseBMP(f.data, 14, int64(binary.LittleEndian.Uint32(f.data[10:])))
	if err != nil {
		return nil, err
	}
	return b.read(f)
}

// isDIB reports whether data begins with the size of one of the headers, as
// all that Pillow looks at.
func isDIB(data []byte) bool {
	return len(data) >= 4 && isDIBHeader(binary.LittleEndian.Uint32(data))
}

func isDIBHeader(size uint32) bool {
	switch size {
	case 12, 40, 52, 56, 64, 108, 124:
		return true
	}
	return false
}

func readDIB(f *file) (image.Image, error) {
	b, err := parseBMP(f.data, 0, 0)
	if err != nil {
		return nil, err
	}
	return b.read(f)
}

// parseBMP reads the header at an offset. The pixels begin at offset pixels, or
// with 0 behind the colours.
func parseBMP(data []byte, at int, pixels int64) (*bmpFile, error) {
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	if len(data) < at+4 {
		return nil, errors.New("no header")
	}
	size := u32(data[at:])
	if !isDIBHeader(size) {
		return nil, fmt.Errorf("a header of %d bytes", size)
	}
	if len(data) < at+int(size) {
		return nil, errors.New("the header is cut off")
	}
	head, rest := data[at:at+int(size)], data[at+int(size):]
	f := &bmpFile{data: data, tableStep: 4, pixels: pixels}
	if size == 12 {
		f.width, f.height, f.bits, f.tableStep = int(u16(head[4:])), int(u16(head[6:])), int(u16(head[10:])), 3
	} else {
		width, height := u32(head[4:]), u32(head[8:])
		if f.topDown = height>>24 == 0xff; f.topDown {
			height = -height
		}
		if width > 1<<31-1 || height > 1<<31-1 {
			return nil, fmt.Errorf("size %d×%d is out of range", width, height)
		}
		f.width, f.height = int(width), int(height)
		f.bits, f.compression = int(u16(head[14:])), u32(head[16:])
		f.colours = int(min(u32(head[32:]), 1<<30))
	}
	if f.compression == bmpBitfields {
		n, fields := 3, head[min(40, len(head)):]
		if size == 40 {
			fields = rest[:min(12, len(rest))]
			rest = rest[len(fields):]
		} else if size >= 56 {
			n = 4
		}
		if len(fields) < 4*n {
			return nil, errors.New("the bit masks are cut off")
		}
		for i := range n {
			f.masks[i] = u32(fields[4*i:])
		}
	}
	if f.bits <= 8 {
		if f.colours == 0 {
			f.colours = 1 << f.bits
		}
		if f.colours > 1<<16 {
			return nil, fmt.Errorf("%d colours", f.colours)
		}
		length := f.colours * f.tableStep
		if pixels == int64(at)+int64(size) {
			f.pixels += int64(length) // files exist whose offset forgets the colours
		}
		f.table = rest[:min(length, len(rest))]
		rest = rest[len(f.table):]
	}
	if f.pixels == 0 {
		f.pixels = int64(len(data) - len(rest))
	}
	return f, nil
}

func (f *bmpFile) read(src *file) (image.Image, error) {
	if err := src.check(f.width, f.height); err != nil {
		return nil, err
	}
	l, err := f.layout()
	if err != nil {
		return nil, err
	}
	if f.compression == bmpRLE8 || f.compression == bmpRLE4 {
		if l.bits != 8 && l.mode != modeIndexed || f.bits == 1 {
			return nil, fmt.Errorf("run lengths with %d bits a pixel", f.bits)
		}
		if n := f.runs(nil); n < f.width*f.height {
			return nil, fmt.Errorf("run lengths of %d pixels, want %d", n, f.width*f.height)
		}
		c := newCanvas(l.mode, f.width, f.height, l.palette)
		f.runs(c)
		return c.img, nil
	}
	pixels := f.data[min(f.pixels, int64(len(f.data))):]
	stride, row := (rowBytes(f.width, f.bits)+3)/4*4, rowBytes(f.width, l.bits)
	if row > stride { // grey, of which Pillow wants a byte a pixel
		if src.truncated {
			return newCanvas(l.mode, f.width, f.height, l.palette).img, nil
		}
		return nil, fmt.Errorf("%d bits a pixel with %d colours", f.bits, f.colours)
	}
	if have := (len(pixels) + stride - row) / stride; have < f.height && !src.truncated {
		return nil, cutOff(have, f.height)
	}
	c := newCanvas(l.mode, f.width, f.height, l.palette)
	_ = c.rows(pixels, stride, l.bits, !f.topDown, l.unpack)
	return c.img, nil
}

// bmpLayout says how pixels are stored, and what they become.
type bmpLayout struct {
	mode    mode
	palette color.Palette
	bits    int
	unpack  unpacker
}

func (f *bmpFile) layout() (l bmpLayout, err error) {
	switch {
	case f.compression > bmpBitfields, f.compression == bmpBitfields && f.bits <= 8:
		return l, fmt.Errorf("compression %d of %d bits a pixel", f.compression, f.bits)
	case f.bits == 1 || f.bits == 4 || f.bits == 8:
		return f.indexed()
	case f.bits != 16 && f.bits != 24 && f.bits != 32:
		return l, fmt.Errorf("%d bits a pixel", f.bits)
	case f.compression != bmpBitfields:
		f.masks = [4]uint32{0xff0000, 0xff00, 0xff, 0}
		if f.bits == 16 {
			f.masks = [4]uint32{0x7c00, 0x3e0, 0x1f, 0}
		}
	}
	l = bmpLayout{mode: modeRGB, bits: f.bits}
	masks := f.masks
	if f.bits < 32 {
		masks[3] = 0
	}
	switch size := f.bits / 8; {
	case f.bits == 16 && masks == [4]uint32{0x7c00, 0x3e0, 0x1f, 0}:
		l.unpack = unpackFields(10, 5, 31)
	case f.bits == 16 && masks == [4]uint32{0xf800, 0x7e0, 0x1f, 0}:
		l.unpack = unpackFields(11, 5, 63)
	case f.bits > 16 && masks == [4]uint32{0xff0000, 0xff00, 0xff, 0}:
		l.unpack = unpackColour(size, 2, 1, 0, -1)
	case f.bits == 32:
		l.mode, l.unpack = bmpColour32(masks)
	}
	if l.unpack == nil {
		return l, fmt.Errorf("bit masks %#x of a pixel of %d bits", masks, f.bits)
	}
	return l, nil
}

// bmpColour32 knows the orders of four bytes that Pillow knows.
func bmpColour32(masks [4]uint32) (mode, unpacker) {
	switch masks {
	case [4]uint32{0xff000000, 0xff0000, 0xff00, 0}:
		return modeRGB, unpackColour(4, 3, 2, 1, -1)
	case [4]uint32{0xff000000, 0xff00, 0xff, 0}:
		return modeRGB, unpackColour(4, 3, 1, 0, -1)
	case [4]uint32{0xff000000, 0xff0000, 0xff00, 0xff}:
		return modeRGBA, unpackColour(4, 3, 2, 1, 0)
	case [4]uint32{0xff, 0xff00, 0xff0000, 0xff000000}:
		return modeRGBA, unpackColour(4, 0, 1, 2, 3)
	case [4]uint32{0xff0000, 0xff00, 0xff, 0xff000000}, [4]uint32{}:
		return modeRGBA, unpackColour(4, 2, 1, 0, 3)
	case [4]uint32{0xff000000, 0xff00, 0xff, 0xff0000}:
		return modeRGBA, unpackColour(4, 3, 1, 0, 2)
	}
	return modeRGB, nil
}

// unpackFields is for pixels of 16 bits, blue the lowest 5, whose red begins at
// bit r and whose green, up to most, at bit g.
func unpackFields(r, g int, most uint16) unpacker {
	return func(dst, src []byte, n, step int) {
		for i := range n {
			v := binary.LittleEndian.Uint16(src[2*i:])
			d := dst[i*step : i*step+4 : i*step+4]
			d[0] = uint8(v >> r & 31 * 255 / 31)
			d[1] = uint8(v >> g & most * 255 / most)
			d[2] = uint8(v & 31 * 255 / 31)
			d[3] = 255
		}
	}
}

// indexed is the layout of an image with a table of colours: grey or 1-bit
// where that says no more, as Pillow decides it.
func (f *bmpFile) indexed() (bmpLayout, error) {
	n := len(f.table) / f.tableStep
	rgb := make([]byte, 0, 3*n)
	gray := n == f.colours
	for i := range n {
		c := f.table[i*f.tableStep:]
		rgb = append(rgb, c[2], c[1], c[0])
		v := i
		if f.colours == 2 {
			v = 255 * i
		}
		gray = gray && [3]byte(c) == [3]byte{uint8(v), uint8(v), uint8(v)}
	}
	switch {
	case gray && f.colours <= 2:
		return bmpLayout{modeIndexed, bilevelPalette(), 1, unpackBits(1, 1)}, nil
	case gray:
		return bmpLayout{modeGray, nil, 8, unpackBytes}, nil
	case n > 256:
		return bmpLayout{}, fmt.Errorf("a palette of %d colours", n)
	}
	return bmpLayout{modeIndexed, blackPalette(rgb), f.bits, unpackBits(f.bits, 1)}, nil
}

// runs expands run lengths into the canvas, or with nil counts the pixels that
// they stand for. They are one row after the other; a literal run may go on in
// the next row, and jumps are filled with index 0.
func (f *bmpFile) runs(c *canvas) int {
	total, done, x := f.width*f.height, 0, 0
	put := func(n int, index func(i int) byte) {
		if c != nil {
			for i := done; i < min(done+n, total); i++ {
				c.pix[f.place(i)] = index(i - done)
			}
		}
		done += n
	}
	at := int(min(f.pixels, int64(len(f.data))))
	for done < total && at+2 <= len(f.data) {
		n, code := int(f.data[at]), f.data[at+1]
		at += 2
		rest := f.data[at:]
		switch {
		case n > 0:
			n = min(n, max(f.width-x, 0))
			x += n
			put(n, func(i int) byte { return f.nibble(code, i) })
		case code == 0:
			done += (f.width - done%f.width) % f.width
			x = 0
		case code == 1:
			return done
		case code == 2:
			if len(rest) < 2 {
				return done
			}
			done += min(total-done, int(rest[0])+int(rest[1])*f.width)
			x = done % f.width
			at += 2
		default:
			n = min(total-done, int(code))
			size := n
			if f.compression == bmpRLE4 {
				size = (n + 1) / 2
			}
			if len(rest) < size {
				return done
			}
			put(n, func(i int) byte {
				if f.compression == bmpRLE4 {
					return f.nibble(rest[i/2], i)
				}
				return rest[i]
			})
			x += int(code)
			at += size
			at += at % 2
		}
	}
	return done
}

// place returns where the i-th pixel that is stored belongs.
func (f *bmpFile) place(i int) int {
	if f.topDown {
		return i
	}
	return (f.height-1-i/f.width)*f.width + i%f.width
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
