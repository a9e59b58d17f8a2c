package pillow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
)

// tgaFile is a parsed header of a Targa file.
type tgaFile struct {
	kind          byte // 1: palette, 2: colours, 3: grey
	packed        bool // in run lengths
	mapped        bool // there is a palette
	width, height int
	depth         int
	bottomUp      bool
	mirrored      bool
	rest          []byte // behind the header
}

const tgaHeader = 18

// isTGA looks at fields that all such files have, since there is no magic.
func isTGA(data []byte) bool {
	if len(data) < tgaHeader || data[1] > 1 {
		return false
	}
	width, height := binary.LittleEndian.Uint16(data[12:]), binary.LittleEndian.Uint16(data[14:])
	switch depth := data[16]; depth {
	case 1, 8, 16, 24, 32:
	default:
		return false
	}
	kind := data[2] &^ 8
	return kind >= 1 && kind <= 3 && width > 0 && height > 0
}

func readTGA(src *file) (image.Image, error) {
	d := src.data
	f := &tgaFile{
		kind: d[2] & 7, packed: d[2]&8 != 0, mapped: d[1] == 1,
		width: int(binary.LittleEndian.Uint16(d[12:])), height: int(binary.LittleEndian.Uint16(d[14:])), depth: int(d[16]),
		bottomUp: d[17]&0x20 == 0, mirrored: d[17]&0x10 != 0,
		rest: d[min(tgaHeader+int(d[0]), len(d)):],
	}
	if err := src.check(f.width, f.height); err != nil {
		return nil, err
	}
	palette, err := f.palette(int(binary.LittleEndian.Uint16(d[3:])), int(binary.LittleEndian.Uint16(d[5:])), int(d[7]))
	if err != nil {
		return nil, err
	}
	m, unpack := f.layout()
	if unpack == nil {
		return nil, fmt.Errorf("image type %d of %d bits", d[2], f.depth)
	}
	row := rowBytes(f.width, f.depth)
	if least := tgaLeast(row*f.height, f.packed); least > len(f.rest) && !src.truncated {
		return nil, cutOff(len(f.rest), least)
	}
	c := newCanvas(m, f.width, f.height, palette)
	if f.packed {
		err = f.runs(c, unpack)
	} else {
		err = c.rows(f.rest, row, f.depth, f.bottomUp, unpack)
	}
	if err != nil && !src.truncated {
		return nil, err
	}
	if m == modeRGBA && f.kind == 2 && tgaOpaque(d) {
		for i := 3; i < len(c.pix); i += 4 {
			c.pix[i] = 255
		}
	}
	if f.mirrored {
		return Orient(c.img, 2), nil
	}
	return c.img, nil
}

// tgaLeast is the least that so many bytes of pixels can take in a file.
func tgaLeast(n int, packed bool) int {
	if packed {
		return n / (4 * 128) // a run of 128 pixels of 4 bytes takes more
	}
	return n
}

// layout returns the kind of image and what unpacks it, or nil.
func (f *tgaFile) layout() (mode, unpacker) {
	switch {
	case f.kind == 1 && f.depth == 8 && f.mapped:
		return modeIndexed, unpackBytes
	case f.kind == 3 && f.depth == 8 && f.mapped: // grey that has a palette is shown in its colours
		return modeIndexed, unpackBytes
	case f.kind == 3 && f.depth == 16 && f.mapped:
		return modeIndexed, unpackEvery(2)
	case f.kind == 3 && f.depth == 1 && !f.packed:
		return modeIndexed, unpackBits(1, 1)
	case f.kind == 3 && f.depth == 8:
		return modeGray, unpackBytes
	case f.kind == 3 && f.depth == 16:
		return modeRGBA, unpackColour(2, 0, 0, 0, 1)
	case f.kind == 2 && f.depth == 16:
		return modeRGBA, unpackTGA16
	case f.kind == 2 && f.depth == 24:
		return modeRGB, unpackColour(3, 2, 1, 0, -1)
	case f.kind == 2 && f.depth == 32:
		return modeRGBA, unpackColour(4, 2, 1, 0, 3)
	}
	return modeGray, nil
}

// unpackTGA16 is for 5 bits a channel; the highest bit means transparent.
func unpackTGA16(dst, src []byte, n, step int) {
	unpackFields(10, 5, 31)(dst, src, n, step)
	for i := range n {
		dst[i*step+3] = 255 * (src[2*i+1]>>7 ^ 1)
	}
}

// palette takes the palette's n colours, of which the first is that of an index.
func (f *tgaFile) palette(first, n, depth int) (color.Palette, error) {
	if f.kind == 3 && f.depth == 1 {
		return bilevelPalette(), nil
	}
	if !f.mapped {
		return nil, nil
	}
	var unpack unpacker
	switch depth {
	case 16:
		unpack = unpackTGA16
	case 24:
		unpack = unpackColour(3, 2, 1, 0, -1)
	case 32:
		unpack = unpackColour(4, 2, 1, 0, 3)
	default:
		return nil, fmt.Errorf("colours of %d bits", depth)
	}
	table := f.rest[:min(n*depth/8, len(f.rest))]
	f.rest = f.rest[len(table):]
	n = len(table) * 8 / depth
	if first+n > 256 {
		return nil, fmt.Errorf("a palette of %d colours", first+n)
	}
	p := blackPalette(nil)
	rgba := make([]byte, 4*n)
	unpack(rgba, table, n, 4)
	for i := range n {
		p[first+i] = color.NRGBA{rgba[4*i], rgba[4*i+1], rgba[4*i+2], rgba[4*i+3]}
	}
	return p, nil
}

// runs expands run lengths. A run ends with its row; literal pixels may go on
// in the next one.
func (f *tgaFile) runs(c *canvas, unpack unpacker) error {
	size := f.depth / 8
	row := make([]byte, 0, f.width*size)
	for y := 0; y < f.height; {
		if len(f.rest) == 0 {
			return cutOff(y, f.height)
		}
		n, run := size*(int(f.rest[0]&0x7f)+1), f.rest[0]&0x80 != 0
		stored := n
		if run {
			stored = size
		}
		if len(f.rest) < 1+stored {
			return cutOff(y, f.height)
		}
		pixels := f.rest[1 : 1+stored]
		f.rest = f.rest[1+stored:]
		if run {
			if len(row)+n > cap(row) {
				return damaged(y, f.height, errors.New("a run goes beyond its row"))
			}
			pixels = bytes.Repeat(pixels, n/size)
		}
		for len(pixels) > 0 && y < f.height {
			part := pixels[:min(len(pixels), cap(row)-len(row))]
			row, pixels = append(row, part...), pixels[len(part):]
			if len(row) < cap(row) {
				continue
			}
			at := y
			if f.bottomUp {
				at = f.height - 1 - y
			}
			unpack(c.row(at), row, f.width, c.size)
			row, y = row[:0], y+1
		}
	}
	return nil
}

// tgaOpaque reports whether the file's extension says that the fourth channel
// is no alpha.
func tgaOpaque(data []byte) bool {
	if len(data) < 26 || !bytes.HasSuffix(data, []byte("TRUEVISION-XFILE.\x00")) {
		return false
	}
	at := int64(binary.LittleEndian.Uint32(data[len(data)-26:]))
	return at != 0 && at+494 < int64(len(data)) && data[at+494] == 0
}
