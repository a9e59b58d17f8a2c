package vision

import (
	"fmt"
	"image"
	"io"
	"os"

	"github.com/goclip/goclip/internal/pillow"
)

// DecodeOptions bounds what an image file may cost. Zero fields mean the
// defaults: 178,956,970 pixels, as in Pillow, and 512 MiB.
type DecodeOptions struct {
	MaxPixels int   // width × height
	MaxBytes  int64 // size of the file

	// Upright turns an image as its EXIF orientation asks. The reference does
	// not, except for TIFF, which is turned either way.
	Upright bool
}

// Decode reads a PNG, JPEG, GIF, BMP, TIFF or WebP image, told by its
// content; of an animation, the first frame. Unlike image.Decode it keeps what
// [Preprocess] needs to do as the reference does: that an image is of 1 bit or
// has a palette, colours under transparency, libjpeg's and libwebp's way of
// interpolating chroma. opts may be nil. It is safe for concurrent use, and a
// malformed file yields an error whatever it does to a decoder.
func Decode(r io.Reader, opts *DecodeOptions) (image.Image, error) {
	img, err := decode(r, opts)
	if err != nil {
		return nil, fmt.Errorf("vision: %w", err)
	}
	return img, nil
}

// DecodeFile is [Decode] of a file; errors name its path.
func DecodeFile(path string, opts *DecodeOptions) (image.Image, error) {
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
	limit := pillow.Limits{MaxPixels: opts.MaxPixels, MaxBytes: opts.MaxBytes}
	if opts.Upright {
		return pillow.DecodeUpright(r, limit)
	}
	return pillow.Decode(r, limit)
}
