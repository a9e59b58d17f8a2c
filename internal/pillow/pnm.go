package pillow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"
	"strconv"
)

// pnmFile is a parsed header of PBM, PGM, PPM or PFM.
type pnmFile struct {
	kind          byte // '1' to '6', or 'f'
	width, height int
	most          int  // sample of full brightness; 0 of kinds that have none
	little        bool // of 'f': which byte is first
	rest          []byte
}

func isPNM(data []byte) bool {
	return len(data) >= 3 && data[0] == 'P' && (data[1] >= '1' && data[1] <= '6' || data[1] == 'f') && isPNMSpace(data[2])
}

func isPNMSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func readPNM(src *file) (image.Image, error) {
	f, err := parsePNM(src.data)
	if err != nil {
		return nil, err
	}
	if err := src.check(f.width, f.height); err != nil {
		return nil, err
	}
	if f.kind <= '3' {
		return f.plain()
	}
	l, err := f.layout()
	if err != nil {
		return nil, err
	}
	row := rowBytes(f.width, l.bits)
	if have := len(f.rest) / row; have < f.height {
		if err := cutOff(have, f.height); !src.truncated || f.scaled() {
			return nil, err
		}
	}
	if f.kind == 'f' {
		return f.floats(), nil
	}
	c := newCanvas(l.mode, f.width, f.height, bilevelPalette())
	_ = c.rows(f.rest, row, l.bits, false, l.unpack)
	return c.img, nil
}

func parsePNM(data []byte) (*pnmFile, error) {
	f := &pnmFile{kind: data[1]}
	text := pnmText{rest: data[2:]}
	var err error
	number := func(least, most int) (n int) {
		token := text.word()
		if n, e := strconv.Atoi(token); e == nil && n >= least && n <= most {
			return n
		}
		err = errors.Join(err, fmt.Errorf("header has %q, want a number of %d to %d", token, least, most))
		return 0
	}
	f.width, f.height = number(0, math.MaxInt32), number(0, math.MaxInt32)
	switch f.kind {
	case '1', '4':
	case 'f':
		token := text.word()
		scale, e := strconv.ParseFloat(token, 64)
		if e != nil || scale == 0 || math.IsInf(scale, 0) || math.IsNaN(scale) {
			err = errors.Join(err, fmt.Errorf("header has scale %q", token))
		}
		f.little = scale < 0
	default:
		f.most = number(1, 65535)
	}
	f.rest = text.rest
	return f, err
}

// scaled reports whether Pillow reads the samples in Python, where missing ones
// are always an error.
func (f *pnmFile) scaled() bool {
	return f.most != 0 && f.most != 255 && (f.kind != '5' || f.most != 65535)
}

// pnmLayout is how binary samples are stored.
type pnmLayout struct {
	mode   mode
	bits   int
	unpack unpacker
}

func (f *pnmFile) layout() (pnmLayout, error) {
	switch {
	case f.kind == '4':
		return pnmLayout{modeIndexed, 1, func(dst, src []byte, n, step int) {
			unpackBits(1, 1)(dst, src, n, step)
			for i := range n {
				dst[i*step] ^= 1 // 1 is black
			}
		}}, nil
	case f.kind == 'f':
		return pnmLayout{bits: 32}, nil
	case f.kind == '5' && f.most == 255:
		return pnmLayout{modeGray, 8, unpackBytes}, nil
	case f.kind == '5' && f.most == 65535:
		return pnmLayout{modeWide, 16, unpackWords}, nil
	case f.kind == '6' && f.most == 255:
		return pnmLayout{modeRGB, 24, unpackColour(3, 0, 1, 2, -1)}, nil
	}
	l := pnmLayout{mode: f.mode(), bits: 8}
	if f.most > 255 {
		l.bits = 16
	}
	if f.kind == '6' {
		l.bits *= 3
	}
	sample := func(src []byte, i int) int {
		if f.most > 255 {
			return int(binary.BigEndian.Uint16(src[2*i:]))
		}
		return int(src[i])
	}
	l.unpack = func(dst, src []byte, n, step int) {
		channels := f.channels()
		for i := range n {
			for c := range channels {
				f.put(dst[i*step:], c, sample(src, channels*i+c))
			}
		}
	}
	return l, nil
}

func (f *pnmFile) channels() int {
	if f.kind == '3' || f.kind == '6' {
		return 3
	}
	return 1
}

// mode is what grey and colours become: grey of more than 8 bits keeps 16.
func (f *pnmFile) mode() mode {
	switch {
	case f.channels() == 3:
		return modeRGB
	case f.most > 255:
		return modeWide
	}
	return modeGray
}

// put writes channel c of a pixel, scaled to the full range.
func (f *pnmFile) put(px []byte, c, v int) {
	if f.mode() == modeWide {
		binary.BigEndian.PutUint16(px, uint16(min(65535, math.RoundToEven(float64(v)/float64(f.most)*65535))))
		return
	}
	px[c] = uint8(min(255, math.RoundToEven(float64(v)/float64(f.most)*255)))
}

// plain reads samples that are written as text.
func (f *pnmFile) plain() (image.Image, error) {
	n := f.width * f.height * f.channels()
	if n > len(f.rest) {
		return nil, fmt.Errorf("%d bytes of text cannot hold %d samples", len(f.rest), n)
	}
	text := pnmText{rest: f.rest}
	if f.kind == '1' {
		c := newCanvas(modeIndexed, f.width, f.height, bilevelPalette())
		for i := range c.pix {
			bit, ok := text.bit()
			if !ok {
				return nil, fmt.Errorf("sample %d of %d is no bit", i, n)
			}
			c.pix[i] = bit ^ 1
		}
		return c.img, nil
	}
	c := newCanvas(f.mode(), f.width, f.height, nil)
	for i := range n {
		word := text.word()
		v, err := strconv.Atoi(word)
		if err != nil || v < 0 || v > f.most {
			return nil, fmt.Errorf("sample %d of %d is %q, want 0 to %d", i, n, word, f.most)
		}
		f.put(c.pix[i/f.channels()*c.size:], i%f.channels(), v)
	}
	return c.img, nil
}

// pnmText takes words off a text with comments. A comment ends with its line,
// and no word.
type pnmText struct{ rest []byte }

// byte returns the next byte that is in no comment; 0 at the end.
func (t *pnmText) byte() byte {
	for len(t.rest) > 0 {
		c := t.rest[0]
		if c != '#' {
			t.rest = t.rest[1:]
			return c
		}
		end := bytes.IndexAny(t.rest, "\r\n")
		if end < 0 {
			end = len(t.rest) - 1
		}
		t.rest = t.rest[end+1:]
	}
	return 0
}

func (t *pnmText) bit() (byte, bool) {
	c := t.byte()
	for isPNMSpace(c) {
		c = t.byte()
	}
	return c - '0', c == '0' || c == '1'
}

func (t *pnmText) word() string {
	var word [11]byte
	n := 0
	for {
		c := t.byte()
		switch space := c == 0 || isPNMSpace(c); {
		case c == 0 || space && n > 0 || n == len(word):
			return string(word[:n])
		case !space:
			word[n] = c
			n++
		}
	}
}

// floats reads samples of 32 bits, from the bottom row up. What is missing is 0.
func (f *pnmFile) floats() image.Image {
	order := binary.ByteOrder(binary.BigEndian)
	if f.little {
		order = binary.LittleEndian
	}
	img := NewDeep[float32](f.width, f.height)
	for y := f.height - 1; y >= 0; y-- {
		row := img.row(y)
		if len(f.rest) < 4*len(row) {
			break
		}
		for x := range row {
			row[x] = math.Float32frombits(order.Uint32(f.rest[4*x:]))
		}
		f.rest = f.rest[4*len(row):]
	}
	return img
}
