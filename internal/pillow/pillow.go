// Package pillow handles images as Pillow does. It reads files of untrusted
// origin, told apart by content: PNG, JPEG, GIF, BMP, TIFF and WebP, and the rarer
// DIB, ICO, PCX, PNM, QOI, SGI and TGA. [Fit] and [ResizedCrop] resize what was
// read.
//
// Pixels are those of Pillow 13, of damaged files too, as far as it reads them.
// What [Decode] returns keeps the distinctions that CLIP's reference preprocessing
// (Pillow 9.4) makes before it resizes, mostly in types of the standard library:
//
//	*image.Paletted  palette and 1-bit images, which Pillow resizes by nearest neighbour
//	*image.Gray      8-bit grey
//	*image.Gray16    16-bit grey, Pillow's mode I
//	*Deep            grey of larger values, Pillow's modes I and F
//	*image.RGBA      opaque colour (every alpha is 255)
//	*jpeg.Planes     the same, of which rows are converted when they are wanted
//	*Spaced          colour of a TIFF that stores CIELab or YCbCr
//	*image.NRGBA     colour or grey with alpha
//	*image.CMYK      four inks, 255 is full ink
//	*Keyed           opaque, but one colour is declared transparent
//	*Turned          any of these, of which the file says that it lies on its side
//
// Colours of 16 bits a channel are reduced to their high byte, as Pillow does.
// All functions are safe for concurrent use.
package pillow

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"

	"github.com/goclip/goclip/internal/guard"
)

// Limits says what one file may cost, and whether a part of it may be missing.
// Zero fields mean the defaults.
type Limits struct {
	MaxPixels int   // width × height
	MaxBytes  int64 // encoded size

	// AllowTruncated reads what is left of a file that ends early or is
	// damaged, as Pillow does with LOAD_TRUNCATED_IMAGES. What is missing is
	// black, or whatever the format's decoder makes of it.
	AllowTruncated bool

	// Context, where it is not nil, is looked at again and again while a file is decoded,
	// and its end is the error.
	Context context.Context
	// Converter reads kinds of images that are not read here. Nil refuses them.
	Converter Converter

	// Draft, where it is not 0, is how short the shorter side of a JPEG file may become by
	// decoding it at a half, a quarter or an eighth of its size: Pillow's draft mode.
	Draft int
}

// The defaults of [Limits]. DefaultMaxPixels is where Pillow, too, refuses a
// image as a decompression bomb.
const (
	DefaultMaxPixels = 178_956_970
	DefaultMaxBytes  = 512 << 20
)

// cheapPixels are read of any file, however small. More than it could hold are a bomb.
const cheapPixels = 1 << 20

// Keyed is an opaque image of which one colour is declared transparent (the
// tRNS chunk of a grey or true-colour PNG). As an image.Image it shows that
// transparency; Opaque is the image without it, which is all that Pillow
// looks at.
type Keyed struct {
	image.Image
	Opaque image.Image // *image.Gray, *image.Gray16 or *image.RGBA
}

// format is one kind of file: how it begins and how it is read. read finds the
// size in the header and passes it to the file's check before it takes memory
// for pixels.
type format struct {
	name  string
	magic []string          // '?' stands for any byte
	match func([]byte) bool // in the place of magic, where no fixed bytes tell
	read  func(*file) (image.Image, error)
	meta  func(data []byte) metadata // nil where decoding has turned the image, or nothing can say how
	vague bool                       // other kinds of files may look alike
}

// file is what is being read.
type file struct {
	data      []byte
	check     checkSize
	truncated bool // read what is left
	ctx       context.Context
	draft     int
}

// live ends the decoding where its context has ended. It is called for every row.
func (f *file) live() {
	if f.ctx != nil && f.ctx.Err() != nil {
		panic(stopped{f.ctx.Err()})
	}
}

// stopped is the panic of live, which [DecodeBytes] makes an error.
type stopped struct{ err error }

// forgives reports whether err is no reason to read nothing.
func (f *file) forgives(err error) bool {
	var incomplete *IncompleteError
	return err == nil || f.truncated && errors.As(err, &incomplete)
}

type checkSize func(width, height int) error

func formats() []format {
	return []format{
		{name: "png", magic: []string{pngSignature}, read: readPNG, meta: pngMetadata},
		{name: "jpeg", magic: []string{"\xff\xd8\xff"}, read: readJPEG, meta: jpegMetadata},
		{name: "gif", magic: []string{"GIF87a", "GIF89a"}, read: readGIF},
		{name: "bmp", magic: []string{"BM"}, read: readBMP},
		{name: "pnm", match: isPNM, read: readPNM},
		{name: "ico", magic: []string{"\x00\x00\x01\x00"}, read: readICO},
		{name: "qoi", magic: []string{"qoif"}, read: readQOI},
		{name: "sgi", magic: []string{"\x01\xda"}, read: readSGI},
		{name: "pcx", match: isPCX, read: readPCX},
		{name: "dib", match: isDIB, read: readDIB},
		{name: "tga", match: isTGA, read: readTGA, vague: true},
		{name: "tiff", magic: []string{"II*\x00", "MM\x00*", "II\x00*", "MM*\x00", "II+\x00", "MM\x00+"}, read: readTIFF},
		{name: "webp", magic: []string{"RIFF????WEBP"}, read: readWebP, meta: webpMetadata},
	}
}

// DecodeFile is [Decode] of a file; its errors name the path.
func DecodeFile(path string, limit Limits) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("pillow: %w", err)
	}
	defer f.Close()
	img, err := Decode(f, limit)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return img, nil
}

// Decode reads the image that r holds; of an animation, the first frame. The
// size that a header claims is checked against limit, and against what the
// file could hold, before memory for pixels is taken. A decoder's panic comes
// back as an error.
func Decode(r io.Reader, limit Limits) (image.Image, error) {
	limit = limit.orDefaults()
	data, err := readAll(limit.Context, r, limit.MaxBytes)
	if err != nil {
		return nil, err
	}
	return DecodeBytes(data, limit)
}

// DecodeBytes is [Decode] of a file held in memory. The image does not alias
// data.
func DecodeBytes(data []byte, limit Limits) (img image.Image, err error) {
	limit = limit.orDefaults()
	if int64(len(data)) > limit.MaxBytes {
		return nil, fmt.Errorf("pillow: %d bytes, more than the limit of %d", len(data), limit.MaxBytes)
	}
	f := sniff(data)
	if f == nil {
		if len(data) == 0 {
			return nil, errors.New("pillow: not an image: empty")
		}
		kind, ok := foreign(data)
		if ok && kind.Format != 0 && limit.Converter != nil {
			err := guard.Call(func() (err error) {
				img, err = limit.convert(kind.Format, data)
				return err
			})
			if o := Orientation(data); err == nil && o > 1 {
				img = &Turned{img, o}
			}
			return img, err
		}
		if ok {
			return nil, fmt.Errorf("pillow: %w", &kind)
		}
		return nil, fmt.Errorf("pillow: not an image: starts with %.16q", data[:min(len(data), 16)])
	}
	defer func() {
		p := recover()
		if s, ok := p.(stopped); ok {
			img, err = nil, fmt.Errorf("pillow: %s: %w", f.name, s.err)
		} else if p != nil {
			img, err = nil, fmt.Errorf("pillow: %s: decoder failed: %v", f.name, p)
		}
	}()
	img, err = f.read(&file{data: data, check: limit.check, truncated: limit.AllowTruncated, draft: limit.Draft, ctx: limit.Context})
	if err != nil {
		return nil, fmt.Errorf("pillow: %s: %w", f.name, err)
	}
	if o := f.orientation(data); o > 1 {
		return &Turned{img, o}, nil
	}
	return img, nil
}

func (l Limits) orDefaults() Limits {
	if l.MaxPixels == 0 {
		l.MaxPixels = DefaultMaxPixels
	}
	if l.MaxBytes == 0 {
		l.MaxBytes = DefaultMaxBytes
	}
	return l
}

func (l Limits) check(width, height int) error {
	if width <= 0 || height <= 0 {
		return fmt.Errorf("size %d×%d has no pixels", width, height)
	}
	if width > l.MaxPixels/height {
		return fmt.Errorf("size %d×%d is more than the limit of %d pixels", width, height, l.MaxPixels)
	}
	return nil
}

func sniff(data []byte) *format {
	for _, f := range formats() {
		if f.match != nil && f.match(data) {
			if _, other := foreign(data); f.vague && other {
				continue
			}
			return &f
		}
		for _, magic := range f.magic {
			if hasMagic(data, magic) {
				return &f
			}
		}
	}
	return nil
}

func hasMagic(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

// contextReader reads until its context ends.
type contextReader struct {
	io.Reader
	ctx context.Context
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// readAll reads r to its end, or that of the context if there is one; in one piece where r
// can tell its size.
func readAll(ctx context.Context, r io.Reader, maxBytes int64) ([]byte, error) {
	size := int64(0)
	switch r := r.(type) {
	case interface{ Len() int }:
		size = int64(r.Len())
	case *os.File:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	if size > maxBytes {
		return nil, fmt.Errorf("pillow: %d bytes, more than the limit of %d", size, maxBytes)
	}
	if ctx != nil {
		r = contextReader{r, ctx}
	}
	if maxBytes < math.MaxInt64 {
		r = io.LimitReader(r, maxBytes+1)
	}
	data := make([]byte, 0, size+512)
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if int64(len(data)) > maxBytes {
			return nil, fmt.Errorf("pillow: more than the limit of %d bytes", maxBytes)
		}
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, fmt.Errorf("pillow: reading: %w", err)
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}
