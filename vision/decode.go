package vision

import (
	"errors"
	"fmt"
	"image"
	"io"
	"os"

	"github.com/goclip/goclip/internal/pillow"
)

// DecodeOptions limits the size of the image files that are accepted. Zero
// fields mean the defaults: 178,956,970 pixels, as in Pillow, and 512 MiB.
type DecodeOptions struct {
	MaxPixels int   // width × height
	MaxBytes  int64 // size of the file

	// Upright applies the image's EXIF orientation. The reference
	// implementations do not, except for TIFF, which is always turned.
	Upright bool

	// AllowTruncated reads what is left of a file that ends early or is
	// damaged, as Pillow does with LOAD_TRUNCATED_IMAGES; what is missing is
	// black, mostly. Without it such a file is an [IncompleteError].
	AllowTruncated bool

	// Converter reads HEIC, AVIF, JPEG XL and JPEG 2000, which are refused
	// without it: [github.com/goclip/goclip/convert.New] makes one of programs
	// that are installed.
	Converter Converter

	// Draft, where it is not 0, is how short the shorter side of a JPEG file may become by
	// decoding it at a half, a quarter or an eighth of its size, which takes less time and
	// memory: Pillow's Image.draft. [Preprocess.DraftSide] knows what to ask for.
	Draft int
}

// Converter makes a file that [Decode] reads, such as a PNG, of a kind that it does
// not. HEIC it turns as the file says, but AVIF not, which
// [DecodeOptions.Upright] does. The result should have at most maxPixels. It is
// called from several goroutines at once, must not change data, and a panic of it
// is an error of that image.
type Converter = pillow.Converter

// ForeignFormat is a kind of image that a [Converter] is asked for.
type ForeignFormat = pillow.ForeignFormat

// The kinds that a [Converter] is asked for.
const (
	HEIC     = pillow.HEIC
	AVIF     = pillow.AVIF
	JPEGXL   = pillow.JPEGXL
	JPEG2000 = pillow.JPEG2000
)

// ForeignError is about a file of a kind that is known, but not read: a kind of
// [ForeignFormat], a video, a document, the error page of a server.
type ForeignError = pillow.ForeignError

// IncompleteError is about a file that ends early or is damaged, and of which
// [DecodeOptions.AllowTruncated] reads the rest.
type IncompleteError = pillow.IncompleteError

// Decode reads a PNG, JPEG, GIF, BMP, TIFF or WebP image, or one of the rarer DIB,
// ICO, PCX, PNM, QOI, SGI and TGA, recognised by its content, not its name; of an
// animation, the first frame. Its pixels are those of Pillow 13. Unlike image.Decode
// it keeps what [Preprocess] needs to do as the reference does: whether an
// image has 1 bit per pixel or a palette, the colours of transparent pixels,
// and the chroma interpolation of libjpeg and libwebp. opts may be nil. It is
// safe for concurrent use, and a malformed file is always an error, even where
// it makes a decoder panic.
func Decode(r io.Reader, opts *DecodeOptions) (image.Image, error) {
	if r == nil {
		return nil, errors.New("vision: decode: the reader is nil")
	}
	img, err := decode(r, opts)
	if err != nil {
		return nil, fmt.Errorf("vision: %w", err)
	}
	return img, nil
}

// DecodeFile is [Decode] of a file; errors name its path.
func DecodeFile(path string, opts *DecodeOptions) (image.Image, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("vision: %s is not a regular file", path) // a pipe would wait for a writer
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("vision: %w", err)
	}
	defer f.Close()
	img, err := decode(f, opts)
	if err != nil {
		return nil, fmt.Errorf("vision: %s: %w", path, err)
	}
	return img, nil
}

func decode(r io.Reader, opts *DecodeOptions) (image.Image, error) {
	if opts == nil {
		opts = &DecodeOptions{}
	}
	limit := pillow.Limits{MaxPixels: opts.MaxPixels, MaxBytes: opts.MaxBytes, AllowTruncated: opts.AllowTruncated, Converter: opts.Converter, Draft: opts.Draft}
	if opts.Upright {
		return pillow.DecodeUpright(r, limit)
	}
	return pillow.Decode(r, limit)
}
