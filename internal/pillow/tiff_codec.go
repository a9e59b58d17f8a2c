package pillow

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"image"
	"io"
	"math"

	"github.com/goclip/goclip/internal/pillow/fax"
	"github.com/goclip/goclip/internal/pillow/jpeg"
)

// tiffCompression is TIFF's number of a way to compress.
type tiffCompression int

const (
	tiffRaw        tiffCompression = 1
	tiffFaxRuns    tiffCompression = 2
	tiffFax3       tiffCompression = 3
	tiffFax4       tiffCompression = 4
	tiffLZW        tiffCompression = 5
	tiffOldJPEG    tiffCompression = 6
	tiffJPEG       tiffCompression = 7
	tiffDeflate    tiffCompression = 8
	tiffFaxWords   tiffCompression = 32771
	tiffPackBits   tiffCompression = 32773
	tiffOldDeflate tiffCompression = 32946
	tiffLZMA       tiffCompression = 34925
	tiffZstd       tiffCompression = 50000
)

// predicts reports whether the predictor tag counts.
func (c tiffCompression) predicts() bool {
	switch c {
	case tiffLZW, tiffDeflate, tiffOldDeflate, tiffLZMA, tiffZstd:
		return true
	}
	return false
}

// ratio is the most bytes of pixels that a byte can stand for.
func (c tiffCompression) ratio() float64 {
	switch c {
	case tiffRaw:
		return 1
	case tiffPackBits:
		return 64
	case tiffLZW:
		return 4096
	case tiffDeflate, tiffOldDeflate:
		return deflateRatio
	case tiffJPEG:
		return 1024
	case tiffZstd, tiffLZMA:
		return 1 << 15 // a block of 128 KiB in 4 bytes; a match of 273 in a quarter of a bit
	}
	return math.Inf(1)
}

// chunkDecoder expands a strip or tile after the other.
type chunkDecoder interface {
	open(data []byte) error
	row(dst []byte) error // io.EOF where there are no more, but in order
}

func (t *tiffFile) decoder(l *tiffLayout) (chunkDecoder, error) {
	window := windowFor(int64(rowBytes(t.across, l.bits)) * int64(t.down))
	switch t.compression {
	case tiffFaxRuns, tiffFaxWords, tiffFax3, tiffFax4:
		if l.bits != 1 {
			return nil, fmt.Errorf("fax of %d bits a pixel", l.bits)
		}
		return &faxChunk{fax.NewDecoder(t.faxCoding(), t.across)}, nil
	case tiffLZW:
		return &streamChunk{begin: new(lzwReader).begin}, nil
	case tiffPackBits:
		return &streamChunk{begin: func(data []byte) (io.Reader, error) { return &packBits{data: data}, nil }}, nil
	case tiffDeflate, tiffOldDeflate:
		return &streamChunk{begin: new(zlibReader).begin}, nil
	case tiffZstd:
		return &streamChunk{begin: (&zstdReader{window: window}).begin}, nil
	case tiffLZMA:
		return &streamChunk{begin: (&xzReader{window: window}).begin}, nil
	case tiffJPEG:
		return &jpegChunk{t: t}, nil
	}
	return nil, fmt.Errorf("compression %d is not supported", t.compression)
}

func (t *tiffFile) faxCoding() fax.Coding {
	switch {
	case t.compression == tiffFaxRuns:
		return fax.Runs
	case t.compression == tiffFaxWords:
		return fax.RunWords
	case t.compression == tiffFax4:
		return fax.Group4
	case t.value(tagT4Options, 0)&1 != 0:
		return fax.Group3Two
	}
	return fax.Group3
}

type faxChunk struct{ d *fax.Decoder }

func (f *faxChunk) open(data []byte) error {
	f.d.Reset(data)
	return nil
}

func (f *faxChunk) row(dst []byte) error { return f.d.Row(dst) }

// streamChunk is compressed as a stream of bytes.
type streamChunk struct {
	begin func(data []byte) (io.Reader, error)
	r     io.Reader
}

func (s *streamChunk) open(data []byte) (err error) {
	s.r, err = s.begin(data)
	return err
}

func (s *streamChunk) row(dst []byte) error {
	_, err := io.ReadFull(s.r, dst)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// sum looks at the sum behind zlib's data, where they end with the rows.
func (s *streamChunk) sum() error {
	if _, err := s.r.Read(make([]byte, 1)); errors.Is(err, zlib.ErrChecksum) {
		return err
	}
	return nil
}

// zlibReader takes its memory once.
type zlibReader struct{ r io.ReadCloser }

func (z *zlibReader) begin(data []byte) (_ io.Reader, err error) {
	if z.r == nil {
		z.r, err = zlib.NewReader(bytes.NewReader(data))
		return z.r, err
	}
	return z.r, z.r.(zlib.Resetter).Reset(bytes.NewReader(data), nil)
}

// packBits undoes the compression that the Macintosh began with.
type packBits struct {
	data []byte
	left int // of the current run
	run  bool
}

func (p *packBits) Read(dst []byte) (n int, err error) {
	for n < len(dst) {
		if p.left == 0 {
			if len(p.data) < 2 {
				return n, io.ErrUnexpectedEOF
			}
			k := int(int8(p.data[0]))
			p.data = p.data[1:]
			switch {
			case k == -128:
				continue
			case k < 0:
				p.left, p.run = 1-k, true
			default:
				p.left, p.run = 1+k, false
			}
		}
		if len(p.data) == 0 {
			return n, io.ErrUnexpectedEOF
		}
		part := dst[n:min(n+p.left, len(dst))]
		if p.run {
			for i := range part {
				part[i] = p.data[0]
			}
		} else {
			part = part[:copy(part, p.data)]
		}
		n += len(part)
		p.left -= len(part)
		if !p.run {
			p.data = p.data[len(part):]
		} else if p.left == 0 {
			p.data = p.data[1:]
		}
	}
	return n, nil
}

// jpegChunk is a JPEG.
type jpegChunk struct {
	t   *tiffFile
	img image.Image
	y   int
}

func (c *jpegChunk) open(data []byte) (err error) {
	c.y = 0
	c.img, err = c.t.decodeJPEG(data, func(width, height int) error {
		if width > c.t.across || height > c.t.down {
			return fmt.Errorf("an image of %d×%d pixels, want at most %d×%d", width, height, c.t.across, c.t.down)
		}
		return nil
	})
	return err
}

// row copies a row of samples; what the image lacks is 0.
func (c *jpegChunk) row(dst []byte) error {
	clear(dst)
	b := c.img.Bounds()
	y, n := c.y, b.Dx()
	if c.y++; y >= b.Dy() {
		return nil
	}
	switch img := c.img.(type) {
	case *image.Gray:
		copy(dst, img.Pix[y*img.Stride:][:n])
	case *image.CMYK:
		copy(dst, img.Pix[y*img.Stride:][:4*n])
	case *image.NRGBA: // grey with alpha
		for i, v := range img.Pix[y*img.Stride:][:4*n] {
			if i%4 == 0 && i/2+1 < len(dst) {
				dst[i/2], dst[i/2+1] = v, img.Pix[y*img.Stride+i+3]
			}
		}
	case *image.RGBA:
		copySamples(dst, img.Pix[y*img.Stride:][:4*n], c.t.samples)
	}
	return nil
}

func copySamples(dst, pix []byte, samples int) {
	for i := 0; i+4 <= len(pix) && len(dst) >= samples; i += 4 {
		copy(dst[:samples], pix[i:i+4])
		dst = dst[samples:]
	}
}

// decodeJPEG reads a JPEG whose tables may be in a tag, and that may end early.
func (t *tiffFile) decodeJPEG(data []byte, check checkSize) (image.Image, error) {
	o := jpeg.Options{Check: check, Tables: t.tags[tagJPEGTables].raw, Colour: jpeg.Direct}
	if t.photometric == photoYCbCr && !t.planar {
		o.Colour = jpeg.YCbCr
	}
	img, err := jpeg.Decode(append(data[:len(data):len(data)], 0xff, 0xd9), o)
	if err != nil {
		return nil, err
	}
	components := 3
	switch img.(type) {
	case *image.Gray:
		components = 1
	case *image.NRGBA:
		components = 2
	case *image.CMYK:
		components = 4
	}
	if want := t.samples; !t.planar && components != want || t.planar && components != 1 {
		return nil, fmt.Errorf("a JPEG of %d components, want %d", components, want)
	}
	return img, nil
}
