package pillow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
)

const pcxHeader = 128

func isPCX(data []byte) bool {
	return len(data) >= 2 && data[0] == 10 && (data[1] == 0 || data[1] == 2 || data[1] == 3 || data[1] == 5)
}

// readPCX reads a Paintbrush file.
func readPCX(src *file) (image.Image, error) {
	d := src.data
	if len(d) < 68 {
		return nil, errors.New("the header is cut off")
	}
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(d[at:])) }
	width, height := u16(8)+1-u16(4), u16(10)+1-u16(6)
	if err := src.check(width, height); err != nil {
		return nil, err
	}
	bits, planes := int(d[3]), int(d[65])
	stride := rowBytes(width, bits)
	if u16(66) != stride {
		stride += stride % 2
	}
	m, palette, unpack := pcxLayout(d, bits, planes, stride)
	if unpack == nil {
		return nil, fmt.Errorf("version %d with %d planes of %d bits", d[1], planes, bits)
	}
	runs := d[min(pcxHeader, len(d)):]
	row := make([]byte, 0, planes*stride)
	if least := cap(row) * height / 63 * 2; least > len(runs) && !src.truncated {
		return nil, cutOff(len(runs), least)
	}
	c := newCanvas(m, width, height, palette)
	over := false
	for y := 0; y < height; {
		if len(runs) == 0 || len(runs) == 1 && runs[0] >= 0xc0 {
			if src.truncated {
				break
			}
			return nil, cutOff(y, height)
		}
		if v := runs[0]; v < 0xc0 {
			row, runs = append(row, v), runs[1:]
		} else {
			n := int(v & 0x3f)
			over = over || n > cap(row)-len(row)
			row = append(row, bytes.Repeat(runs[1:2], min(n, cap(row)-len(row)))...)
			runs = runs[2:]
		}
		if len(row) == cap(row) {
			unpack(c.row(y), row, width, c.size)
			row, y = row[:0], y+1
		}
	}
	if over && !src.truncated {
		return nil, damaged(1, 1, errors.New("a run goes beyond its row"))
	}
	return c.img, nil
}

// pcxLayout returns the kind of image and what unpacks a row, whose planes are
// stride bytes each; or a nil unpacker.
func pcxLayout(d []byte, bits, planes, stride int) (mode, color.Palette, unpacker) {
	switch {
	case bits == 1 && planes == 1:
		return modeIndexed, bilevelPalette(), unpackBits(1, 1)
	case bits == 1 && (planes == 2 || planes == 4):
		return modeIndexed, blackPalette(d[16:64]), func(dst, src []byte, n, _ int) {
			for i := range n {
				dst[i] = 0
				for p := range planes {
					dst[i] |= src[p*stride+i/8] >> (7 - i%8) & 1 << p
				}
			}
		}
	case bits == 8 && planes == 1 && d[1] == 5:
		if len(d) > 768 && d[len(d)-769] == 12 {
			if table := colourTable(d[len(d)-768:]); table != nil {
				return modeIndexed, blackPalette(table), unpackBytes
			}
		}
		return modeGray, nil, unpackBytes
	case bits == 8 && planes == 3 && d[1] == 5:
		return modeRGB, nil, func(dst, src []byte, n, _ int) {
			for i := range n {
				dst[4*i], dst[4*i+1], dst[4*i+2] = src[i], src[stride+i], src[2*stride+i]
			}
		}
	}
	return modeGray, nil, nil
}
