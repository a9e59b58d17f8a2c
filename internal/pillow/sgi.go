package pillow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

const sgiHeader = 512

// sgiFile is a parsed header of a file of Silicon Graphics, whose channels are
// planes with the bottom row first.
type sgiFile struct {
	width, height int
	channels      int
	sample        int // bytes, of which the first counts
	planes        []byte
}

func readSGI(src *file) (image.Image, error) {
	d := src.data
	if len(d) < 12 {
		return nil, errors.New("the header is cut off")
	}
	u16 := func(at int) int { return int(binary.BigEndian.Uint16(d[at:])) }
	f := &sgiFile{width: u16(6), height: u16(8), channels: u16(10), sample: int(d[3]), planes: d[min(sgiHeader, len(d)):]}
	if err := src.check(f.width, f.height); err != nil {
		return nil, err
	}
	gray := f.channels == 1 && (u16(4) == 1 || u16(4) == 2)
	colour := (f.channels == 3 || f.channels == 4) && u16(4) == 3
	if (f.sample != 1 && f.sample != 2) || !gray && !colour || d[2] > 1 {
		return nil, fmt.Errorf("compression %d, %d dimensions, %d channels of %d bytes", d[2], u16(4), f.channels, f.sample)
	}
	least := f.width * f.height * f.channels * f.sample
	if d[2] == 1 {
		least = 8 * f.height * f.channels // the tables of rows
	}
	if least > len(f.planes) && (!src.truncated || f.sample == 2 || d[2] == 1) {
		return nil, cutOff(len(f.planes), least)
	}
	c := newCanvas([]mode{1: modeGray, 3: modeRGB, 4: modeRGBA}[f.channels], f.width, f.height, nil)
	if d[2] == 1 {
		if err := f.runs(c); err != nil && !src.truncated {
			return nil, err
		}
		return c.img, nil
	}
	for i := range f.channels {
		_ = c.rows(f.planes, f.width*f.sample, 8*f.sample, true, f.channel(i))
		f.planes = f.planes[min(f.width*f.height*f.sample, len(f.planes)):]
	}
	return c.img, nil
}

// channel unpacks samples to the i-th channel.
func (f *sgiFile) channel(i int) unpacker {
	return func(dst, src []byte, n, step int) {
		for x := range n {
			dst[x*step+i] = src[x*f.sample]
		}
	}
}

// runs expands rows, which may lie anywhere. A row that is too short ends as the
// one before it; one that goes on beyond its length ends the image, as in Pillow.
func (f *sgiFile) runs(c *canvas) error {
	rows := make([][]byte, f.channels)
	for i := range rows {
		rows[i] = make([]byte, f.width*f.sample)
	}
	lengths := 4 * f.height * f.channels
	for y := range f.height {
		for i, row := range rows {
			entry := 4 * (y + i*f.height)
			start, length := binary.BigEndian.Uint32(f.planes[entry:]), binary.BigEndian.Uint32(f.planes[lengths+entry:])
			if start < sgiHeader || int64(start) > sgiHeader+int64(len(f.planes)) {
				return damaged(y, f.height, errors.New("a row is outside of the file"))
			}
			if goesOn, err := f.run(row, f.planes[start-sgiHeader:], length); err != nil {
				return damaged(y, f.height, err)
			} else if goesOn {
				return nil
			}
		}
		for i, row := range rows {
			f.channel(i)(c.row(f.height-1-y), row, f.width, c.size)
		}
	}
	return nil
}

var errSGIRun = errors.New("a run goes beyond its row or the file")

// run expands one row of at most n runs. It reports whether there are more.
func (f *sgiFile) run(row, src []byte, n uint32) (goesOn bool, err error) {
	for ; n > 0; n-- {
		if len(src) < f.sample {
			return false, errSGIRun
		}
		op := src[f.sample-1]
		src = src[f.sample:]
		if n == 1 && op != 0 {
			return true, nil
		}
		size := int(op&0x7f) * f.sample
		switch {
		case size == 0:
			return false, nil
		case size > len(row), op >= 0x80 && size >= len(src), len(src) < f.sample:
			return false, errSGIRun
		case op >= 0x80:
			copy(row, src[:size])
			src = src[size:]
		default:
			for i := range size {
				row[i] = src[i%f.sample]
			}
			src = src[f.sample:]
		}
		row = row[size:]
	}
	return false, nil
}
