package pillow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// readQOI reads the Quite OK Image format (qoiformat.org).
func readQOI(src *file) (image.Image, error) {
	d := src.data
	if len(d) < 14 {
		return nil, errors.New("the header is cut off")
	}
	width, height := binary.BigEndian.Uint32(d[4:]), binary.BigEndian.Uint32(d[8:])
	if width > 1<<31-1 || height > 1<<31-1 {
		return nil, fmt.Errorf("size %d×%d is out of range", width, height)
	}
	if err := src.check(int(width), int(height)); err != nil {
		return nil, err
	}
	n := int(width) * int(height)
	if most := 62 * len(d); n > most { // a run of 62 pixels takes a byte
		return nil, fmt.Errorf("%d bytes cannot hold %d×%d pixels", len(d), width, height)
	}
	m := modeRGBA
	if d[12] == 3 {
		m = modeRGB
	}
	c := newCanvas(m, int(width), int(height), nil)
	done := qoiPixels(c.pix, d[14:])
	if m == modeRGB {
		for i := 3; i < len(c.pix); i += 4 {
			c.pix[i] = 255
		}
	}
	if done < n { // Pillow never reads it
		return nil, errors.New("pixels are missing")
	}
	return c.img, nil
}

// qoiPixels fills pix, 4 bytes a pixel, and returns how many there were.
func qoiPixels(pix, src []byte) int {
	var seen [64][4]byte
	px := [4]byte{3: 255}
	n := len(pix) / 4
	for done := 0; ; {
		if done == n || len(src) == 0 {
			return done
		}
		op := src[0]
		src = src[1:]
		run := 1
		switch {
		case op >= 0xfe: // the colour itself
			size := int(op) - 0xfe + 3
			if len(src) < size {
				return done
			}
			copy(px[:size], src)
			src = src[size:]
		case op>>6 == 0:
			px = seen[op]
		case op>>6 == 1:
			px[0] += op>>4&3 - 2
			px[1] += op>>2&3 - 2
			px[2] += op&3 - 2
		case op>>6 == 2:
			if len(src) == 0 {
				return done
			}
			green := op&63 - 32
			px[0] += green + src[0]>>4 - 8
			px[1] += green
			px[2] += green + src[0]&15 - 8
			src = src[1:]
		default:
			run = min(int(op&63)+1, n-done)
		}
		if op < 0xc0 || op >= 0xfe { // a run is not remembered
			seen[(int(px[0])*3+int(px[1])*5+int(px[2])*7+int(px[3])*11)%64] = px
		}
		for ; run > 0; run-- {
			copy(pix[4*done:], px[:])
			done++
		}
	}
}
