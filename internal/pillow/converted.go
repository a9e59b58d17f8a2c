package pillow

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
)

// ForeignFormat is a kind of image that other programs have to read.
type ForeignFormat uint8

// The kinds that a [Converter] is asked for.
const (
	HEIC ForeignFormat = iota + 1
	AVIF
	JPEGXL
	JPEG2000
)

// String returns the kind's name, such as "HEIC".
func (f ForeignFormat) String() string {
	switch f {
	case HEIC:
		return "HEIC"
	case AVIF:
		return "AVIF"
	case JPEGXL:
		return "JPEG XL"
	case JPEG2000:
		return "JPEG 2000"
	}
	return fmt.Sprintf("ForeignFormat(%d)", uint8(f))
}

// Converter makes a file of a kind that is read here, such as PNG or TIFF, of one of
// another kind. HEIC it turns as the file says, but AVIF not. The image should have at
// most maxPixels. It is called from several goroutines at once and keeps data as they are.
type Converter func(f ForeignFormat, data []byte, maxPixels int) ([]byte, error)

// convert reads an image by way of another program.
func (l Limits) convert(f ForeignFormat, data []byte) (image.Image, error) {
	size, known, exact := foreignSize(f, data)
	most := l.MaxPixels
	if known {
		if err := l.check(size.X, size.Y); err != nil {
			return nil, fmt.Errorf("pillow: %v: %w", f, err)
		}
		most = size.X * size.Y
	}
	converted, err := l.Converter(f, data, most)
	if err != nil {
		lost := missing(data)
		if lost == 0 || f != HEIC && f != AVIF {
			return nil, fmt.Errorf("pillow: %w", err)
		}
		// Of a file that is cut off pillow-heif makes a black image.
		if !l.AllowTruncated || !known {
			return nil, fmt.Errorf("pillow: %v: %w", f, damaged(len(data), len(data)+lost, err))
		}
		return black(f, data), nil
	}
	img, err := DecodeBytes(converted, Limits{MaxPixels: most, MaxBytes: int64(len(converted)) + 1})
	if err != nil {
		return nil, fmt.Errorf("pillow: %v, converted: %w", f, err)
	}
	if t, ok := img.(*Turned); ok {
		img = t.Image // the program copied what the file says beside what it made of it
	}
	got := img.Bounds().Size()
	if exact && got != size && (f != HEIC || got != image.Pt(size.Y, size.X)) {
		return nil, fmt.Errorf("pillow: %v: converted to %d×%d pixels, want %d×%d", f, got.X, got.Y, size.X, size.Y)
	}
	return img, nil
}

// black is an image of the size that a HEIC or AVIF file claims, which has been checked.
func black(f ForeignFormat, data []byte) image.Image {
	c := readContainer(data)
	size := c.size
	if f == HEIC {
		if c.crop.X > 0 && c.crop.X <= size.X && c.crop.Y > 0 && c.crop.Y <= size.Y {
			size = c.crop
		}
		if c.angle%2 == 1 {
			size.X, size.Y = size.Y, size.X
		}
	}
	return newCanvas(modeRGB, size.X, size.Y, nil).img
}

// missing returns how many bytes the last box of a file says that it has, and has not.
func missing(data []byte) int {
	for len(data) >= 8 {
		size := uint64(binary.BigEndian.Uint32(data))
		if size == 1 && len(data) >= 16 {
			size = binary.BigEndian.Uint64(data[8:])
		}
		if size < 8 { // to the end
			return 0
		}
		if size > uint64(len(data)) {
			return int(min(size-uint64(len(data)), 1<<30))
		}
		data = data[size:]
	}
	return 0
}

// foreignSize returns the size that a file claims, as far as that is easily found;
// exact where it is what a converter gives, or that turned.
func foreignSize(f ForeignFormat, data []byte) (size image.Point, known, exact bool) {
	switch f {
	case HEIC, AVIF:
		c := readContainer(data)
		return c.size, c.size.X > 0 && c.size.Y > 0, c.crop == image.Point{} && c.size.X > 0
	case JPEG2000:
		_, siz, found := bytes.Cut(data, []byte("\xff\x4f\xff\x51"))
		if !found || len(siz) < 20 {
			return size, false, false
		}
		be := binary.BigEndian
		w, h := int64(be.Uint32(siz[4:]))-int64(be.Uint32(siz[12:])), int64(be.Uint32(siz[8:]))-int64(be.Uint32(siz[16:]))
		return image.Pt(int(min(max(w, 0), 1<<30)), int(min(max(h, 0), 1<<30))), true, false
	case JPEGXL:
		return sizeOfJPEGXL(data)
	}
	return size, false, false
}

// sizeOfJPEGXL reads the beginning of a codestream (ISO/IEC 18181-1, D.2).
func sizeOfJPEGXL(data []byte) (size image.Point, known, exact bool) {
	const start = "\xff\x0a"
	stream, found := bytes.CutPrefix(data, []byte(start))
	if !found {
		if _, stream, found = bytes.Cut(data, []byte("jxlc"+start)); !found {
			// In parts, each with a number.
			if _, stream, found = bytes.Cut(data, []byte("jxlp\x00\x00\x00\x00"+start)); !found {
				return size, false, false
			}
		}
	}
	if len(stream) < 9 {
		return size, false, false
	}
	at := 0
	bits := func(n int) (v int) {
		for i := range n {
			v |= int(stream[at/8]>>(at%8)&1) << i
			at++
		}
		return v
	}
	eighths := bits(1) == 1
	length := func() int {
		if eighths {
			return 8 * (bits(5) + 1)
		}
		return bits([4]int{9, 13, 18, 30}[bits(2)]) + 1
	}
	size.Y = length()
	if ratio := bits(3); ratio == 0 {
		size.X = length()
	} else {
		r := [8][2]int64{{}, {1, 1}, {12, 10}, {4, 3}, {3, 2}, {16, 9}, {5, 4}, {2, 1}}[ratio]
		size.X = int(min(int64(size.Y)*r[0]/r[1], 1<<30))
	}
	return size, true, false
}
