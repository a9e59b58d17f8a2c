package pillow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
)

// tiffLayout says how pixels of a file are stored, and what they become.
type tiffLayout struct {
	mode    mode
	palette color.Palette
	bits    int      // of a pixel, or in planes of a sample
	unpack  unpacker // of whole pixels to bytes
	deep    func(src []byte, i int) float64
	float   bool                             // deep's values are
	planes  int                              // that are read one by one, or 1
	divide  bool                             // by alpha, at the end
	convert func(rgb []byte, y, cb, cr byte) // planes of YCbCr, at the end
}

// tiffTarget is an image that is filled row by row.
type tiffTarget struct {
	put       func(plane, y, x int, src []byte, n int)
	finish    func() image.Image
	forgiving bool // of data that are missing
}

func (l *tiffLayout) target(t *tiffFile) *tiffTarget {
	if l.deep != nil && l.float {
		return deepTarget(NewDeep[float32](t.width, t.height), l.deep)
	}
	if l.deep != nil {
		return deepTarget(NewDeep[int32](t.width, t.height), l.deep)
	}
	c := newCanvas(l.mode, t.width, t.height, l.palette)
	put := func(_, y, x int, src []byte, n int) { l.unpack(c.row(y)[x*c.size:], src, n, c.size) }
	if l.planes > 1 {
		high := 0 // the byte of a sample that counts
		if t.bits == 16 && t.order == binary.LittleEndian {
			high = 1
		}
		step := l.bits / 8
		if step == 1 {
			high = 0
		}
		put = func(plane, y, x int, src []byte, n int) {
			for i := range n {
				c.row(y)[(x+i)*c.size+plane] = src[i*step+high]
			}
		}
	}
	return &tiffTarget{put: put, finish: func() image.Image {
		if l.divide {
			divideAlpha(c.pix)
		}
		if l.convert != nil {
			for i := 0; i+4 <= len(c.pix); i += 4 {
				l.convert(c.pix[i:], c.pix[i], c.pix[i+1], c.pix[i+2])
			}
		}
		return c.img
	}}
}

func deepTarget[T int32 | float32](img *Deep[T], value func(src []byte, i int) float64) *tiffTarget {
	return &tiffTarget{put: func(_, y, x int, src []byte, n int) {
		row := img.row(y)[x:]
		for i := range n {
			row[i] = T(value(src, i))
		}
	}, finish: func() image.Image { return img }}
}

var errTIFFKind = errors.New("a kind of pixels that is not supported")

// layout finds the kind of image as Pillow does: by the meaning, format and bits
// of samples, and by what those beyond the colours are.
func (t *tiffFile) layout() (*tiffLayout, error) {
	l, err := t.contiguous()
	if err != nil {
		return nil, fmt.Errorf("%w: photometric %d, %d samples of %d bits, format %d, extra %d",
			err, t.photometric, t.samples, t.bits, t.format, t.extra)
	}
	switch {
	case err != nil:
	case t.planar && t.samples > 1:
		err = t.separate(l)
	case t.planar && t.compression == tiffRaw:
		l.single()
	}
	return l, err
}

// single changes the layout to that of a single plane. Where that is raw, Pillow forgets all of a
// kind but its first letter: that samples have less than 8 bits, that black is 1.
func (l *tiffLayout) single() {
	switch {
	case l.mode == modeIndexed && l.bits == 1:
		l.unpack = unpackBits(1, 1)
	case l.deep == nil && (l.mode == modeIndexed || l.mode == modeGray):
		l.bits, l.unpack = 8, unpackBytes
	}
}

func (t *tiffFile) contiguous() (*tiffLayout, error) {
	l := &tiffLayout{bits: t.bits * t.samples, planes: 1}
	colours := t.samples - len(t.extra)
	alpha := extraNone
	if len(t.extra) > 0 {
		alpha = t.extra[0]
		for _, e := range t.extra[1:] {
			if e != extraNone {
				return nil, errTIFFKind
			}
		}
	}
	switch {
	case t.format != sampleUnsigned && (t.samples > 1 || t.photometric > blackIsZero || t.reversed):
		return nil, errTIFFKind
	case t.reversed && t.samples > 1 && (t.photometric != photoRGB || t.samples != 3 || t.bits != 8):
		return nil, errTIFFKind
	case t.photometric <= blackIsZero && t.samples == 1:
		return l, t.gray(l)
	case t.photometric == blackIsZero && t.samples == 2 && t.bits == 8 && len(t.extra) == 1 && alpha <= extraAlpha:
		l.mode, l.unpack = modeRGBA, unpackColour(2, 0, 0, 0, 1)
		if alpha == extraNone {
			l.mode, l.unpack = modeGray, unpackEvery(2)
		}
		l.divide = alpha == extraAssociated
	case t.photometric == photoIndex && (t.samples == 1 && t.bits <= 8 || t.samples == 2 && t.bits == 8 && alpha != extraAssociated):
		return l, t.indexed(l)
	case t.photometric == photoRGB:
		return l, t.rgb(l, colours, alpha)
	case t.photometric == photoInks && colours == 4 && alpha == extraNone && (t.bits == 8 || t.bits == 16 && t.samples == 4):
		sample := t.bits / 8
		high := t.highByte()
		l.mode, l.unpack = modeCMYK, unpackColour(t.samples*sample, high, sample+high, 2*sample+high, 3*sample+high)
	case t.photometric == photoYCbCr && t.samples == 1 && t.bits == 8:
		l.mode, l.unpack = modeGray, unpackBytes
	case t.photometric == photoYCbCr && t.samples == 3 && t.bits == 8 && len(t.extra) == 0:
		l.mode, l.unpack = modeYCC, unpackColour(3, 0, 1, 2, -1)
		if t.compression != tiffRaw { // converted while it is read
			l.mode = modeRGB
		}
	case t.photometric == photoLab && t.samples == 3 && t.bits == 8 && len(t.extra) == 0:
		l.mode, l.unpack = modeLAB, unpackLab
	default:
		return nil, errTIFFKind
	}
	return l, nil
}

// highByte is the place of a sample's byte that counts.
func (t *tiffFile) highByte() int {
	if t.bits == 16 && t.order == binary.LittleEndian {
		return 1
	}
	return 0
}

func (t *tiffFile) rgb(l *tiffLayout, colours, alpha int) error {
	sample, high := t.bits/8, t.highByte()
	if t.bits != 8 && (t.bits != 16 || t.samples > 4 || alpha > extraAlpha) || t.reversed && t.samples > 3 {
		return errTIFFKind
	}
	at := [4]int{high, sample + high, 2*sample + high, -1}
	l.mode = modeRGB
	const corelDraw = 999
	switch {
	case colours == 4 && len(t.extra) == 0: // ExtraSamples is missing
		alpha, colours = extraAlpha, 3
	case alpha == corelDraw && t.samples == 4:
		alpha = extraAlpha
	}
	if colours != 3 || alpha > extraAlpha {
		return errTIFFKind
	}
	if alpha != extraNone {
		l.mode, at[3] = modeRGBA, 3*sample+high
		l.divide = alpha == extraAssociated
	}
	l.unpack = unpackColour(t.samples*sample, at[0], at[1], at[2], at[3])
	return nil
}

func (t *tiffFile) indexed(l *tiffLayout) error {
	m := t.tags[tagColorMap]
	n := m.count / 3
	if n > 256 {
		return fmt.Errorf("a palette of %d colours", n)
	}
	if m.count == 0 || t.bits&(t.bits-1) != 0 {
		return errTIFFKind
	}
	rgb := make([]byte, 3*n)
	for i := range rgb {
		rgb[i] = byte(int(min(max(m.at(i%3*n+i/3), 0), math.MaxUint16)) >> 8)
	}
	l.mode, l.palette, l.unpack = modeIndexed, blackPalette(rgb), unpackBits(t.bits, 1)
	if t.samples == 2 {
		l.unpack = unpackEvery(2)
	}
	return nil
}

// gray is the layout of one sample.
func (t *tiffFile) gray(l *tiffLayout) error {
	order, inverted := t.order, t.photometric == whiteIsZero
	little := order == binary.LittleEndian
	if t.compression != tiffRaw {
		order = binary.LittleEndian // libtiff turns the bytes of others, and Pillow once more
	}
	switch {
	case t.format == sampleUnsigned && t.bits == 1:
		l.mode, l.palette, l.unpack = modeIndexed, bilevelPalette(), unpackInverted(1, 1, inverted)
	case t.format == sampleUnsigned && (t.bits == 2 || t.bits == 4 || t.bits == 8):
		l.mode, l.unpack = modeGray, unpackInverted(t.bits, uint8(255/(1<<t.bits-1)), inverted)
	case t.format == sampleSigned && t.bits == 8 && !inverted:
		l.mode, l.unpack = modeGray, unpackBytes
	case t.format == sampleUnsigned && t.bits == 12 && little && !inverted && !t.reversed:
		l.mode, l.unpack = modeWide, unpack12
	case t.format == sampleUnsigned && t.bits == 16 && (!inverted || little && !t.reversed) && (little || !t.reversed):
		l.mode, l.unpack = modeWide, unpackWords
		if little {
			l.unpack = unpackSwapped
		}
	case t.reversed:
		return errTIFFKind
	case t.format == sampleSigned && t.bits == 16 && !inverted:
		l.deep = func(src []byte, i int) float64 { return float64(int16(order.Uint16(src[2*i:]))) }
	case (t.format == sampleSigned || t.format == sampleUnsigned && little) && t.bits == 32 && !inverted:
		l.deep = func(src []byte, i int) float64 { return float64(int32(order.Uint32(src[4*i:]))) }
	case t.format == sampleFloat && t.bits == 32:
		l.float = true
		l.deep = func(src []byte, i int) float64 { return float64(math.Float32frombits(order.Uint32(src[4*i:]))) }
	default:
		return errTIFFKind
	}
	return nil
}

// separate changes the layout to that of planes.
func (t *tiffFile) separate(l *tiffLayout) error {
	raw := t.compression == tiffRaw
	switch {
	case t.bits != 8 && t.bits != 16, l.mode == modeIndexed, l.mode == modeYCC, l.deep != nil:
		return fmt.Errorf("%w: planes of %d bits", errTIFFKind, t.bits)
	case raw && (l.mode == modeRGBA && t.samples == 2 || l.divide):
		return fmt.Errorf("%w: planes of premultiplied colours, or of grey with alpha", errTIFFKind)
	case t.photometric == photoYCbCr:
		if h, v := t.subsampling(); raw || t.bits != 8 || t.samples != 3 || h != 1 || v != 1 {
			return fmt.Errorf("%w: planes of YCbCr", errTIFFKind)
		}
		var err error
		if l.convert, err = t.weights(); err != nil {
			return err
		}
	}
	l.bits = t.bits
	if raw {
		l.bits = 8 // Pillow reads bytes, whatever they are of
	}
	if l.mode == modeGray {
		return nil // of the first plane
	}
	if t.samples == 2 { // Pillow puts the alpha elsewhere
		l.unpack = func(dst, src []byte, n, step int) {
			for i, v := range src[:n] {
				dst[i*step], dst[i*step+1], dst[i*step+2] = v, v, v
			}
		}
		return nil
	}
	l.planes = min(t.samples, 4)
	if l.mode == modeRGB {
		l.planes = 3
	}
	if l.mode == modeRGBA && l.planes == 4 && !raw && (len(t.extra) == 0 || t.extra[0] == extraNone) {
		l.divide = true // what nothing is said of is taken for premultiplied
	}
	return nil
}

// unpackInverted is unpackBits, and turns black to white where inverted says.
func unpackInverted(depth int, scale uint8, inverted bool) unpacker {
	plain := unpackBits(depth, scale)
	if !inverted {
		return plain
	}
	most := scale * uint8(1<<depth-1)
	return func(dst, src []byte, n, step int) {
		plain(dst, src, n, step)
		for i := range n {
			dst[i*step] = most - dst[i*step]
		}
	}
}

// unpackEvery takes the first of every size bytes.
func unpackEvery(size int) unpacker {
	return func(dst, src []byte, n, step int) {
		for i := range n {
			dst[i*step] = src[i*size]
		}
	}
}

// unpack12 is for samples of 12 bits.
func unpack12(dst, src []byte, n, step int) {
	for i := range n {
		v := uint16(src[i*3/2])<<8 | uint16(src[i*3/2+1])
		if i%2 == 0 {
			v >>= 4
		}
		binary.BigEndian.PutUint16(dst[i*step:], v&0xfff)
	}
}

// unpackSwapped is for 16-bit samples, whose low byte is first.
func unpackSwapped(dst, src []byte, n, step int) {
	for i := range n {
		dst[i*step], dst[i*step+1] = src[2*i+1], src[2*i]
	}
}

// unpackLab is for CIELab, whose a and b are signed; as bytes they begin at 128.
func unpackLab(dst, src []byte, n, step int) {
	for i := range n {
		d := dst[i*step : i*step+4 : i*step+4]
		d[0], d[1], d[2], d[3] = src[3*i], src[3*i+1]^128, src[3*i+2]^128, 255
	}
}

// divideAlpha undoes premultiplication as Pillow does.
func divideAlpha(pix []byte) {
	for ; len(pix) >= 4; pix = pix[4:] {
		if pix[3] == 0 {
			pix[0], pix[1], pix[2] = 0, 0, 0
		}
		px := divideByAlpha([4]byte(pix))
		copy(pix, px[:])
	}
}
