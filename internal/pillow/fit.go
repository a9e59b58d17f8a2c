package pillow

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"sync"

	"github.com/goclip/goclip/internal/pillow/jpeg"
)

// Resize is how an image of another shape is fitted to a size.
type Resize uint8

// The ways to fit an image.
const (
	Shortest Resize = iota // covers the size, and is cut from the centre
	Longest                // fits into the size, and is padded
	Squash                 // is stretched to the size
	Unscaled               // is cut and padded as it is
)

// Filter is an interpolation kernel, used with anti-aliasing as Pillow does.
type Filter uint8

// The filters.
const (
	Bicubic Filter = iota // a = −0.5
	Bilinear
	Lanczos // over three pixels to each side
	Nearest
	Box
	Hamming
)

// Fit says how an image of any kind becomes RGB of one size, as in open_clip's
// evaluation transform with Pillow and torchvision: it is resized in the mode
// that its type stands for, and only then converted to RGB. What the modes are
// resized like is said in the documentation of vision.Preprocess.
type Fit struct {
	Size   [2]int // height and width, each at most MaxSide
	Resize Resize
	Filter Filter

	// Pillow13 scales along columns first where Pillow 13 does. Otherwise rows are first, as
	// in all versions before it and in torchvision. Between the two, values are rounded.
	Pillow13 bool

	// Fill is the value of every channel of the padding in the image's own
	// mode: an index where it has a palette, an ink in CMYK.
	Fill uint8

	// Ground is opaque, and what an image with transparency is laid on first.
	// Nil means Pillow's convert("RGB"), which drops alpha at the end.
	Ground color.Color

	// Transformers takes the steps of transformers' image processors instead: see
	// transformers.go. Scale is what an image is scaled to, before it is cut or padded to
	// Size; zero means Size.
	Transformers bool
	Scale        [2]int
}

// MaxSide bounds the sides of images and results, and so the memory that the
// filters' coefficients take.
const MaxSide = 1 << 20

// Render writes the image that f makes of img to dst, 4 bytes a pixel,
// opaque. It fails where img has no pixels or more than [DefaultMaxPixels], or
// where a side of it would be scaled to less than half a pixel.
func (f Fit) Render(dst []uint8, img image.Image) error {
	if img == nil {
		return errors.New("pillow: the image is nil")
	}
	size := img.Bounds().Size()
	rows, cols, err := f.place(size.Y, size.X)
	if err != nil {
		return fmt.Errorf("pillow: %w", err)
	}
	if len(dst) != 4*rows.size*cols.size {
		return fmt.Errorf("pillow: dst has %d bytes, want 4·%d·%d", len(dst), rows.size, cols.size)
	}
	if planes, ok := Stored(img).(*jpeg.Planes); ok && f.Filter == Nearest {
		img = planes.RGBA()
	}
	pic, err := newRaster(img, f.Ground)
	if err != nil {
		return fmt.Errorf("pillow: %w", err)
	}
	if f.Transformers {
		pic.convertRGB()
	}
	if rows.count < rows.size || cols.count < cols.size {
		fill := pic.fill(f.Fill)
		for i := 0; i < len(dst); i += 4 {
			copy(dst[i:i+4], fill[:])
		}
	}
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	// The part of dst that the image covers.
	part := window{pix: dst[4*(rows.pad*cols.size+cols.pad):], stride: 4 * cols.size}
	switch {
	case pic.mode == modeIndexed, f.Filter == Nearest:
		pic.nearest(s, part, rows, cols)
	case pic.mode == modeWide || pic.mode == modeDeep:
		pic.resampleWide(s, part, rows, cols, f)
	case f.columnsFirst(rows, cols):
		pic.resampleColumns(s, part, rows, cols, f.Filter)
	default:
		pic.resample(s, part, rows, cols, f.Filter)
	}
	return nil
}

// window is a place in an image of 4 bytes a pixel.
type window struct {
	pix    []uint8
	stride int
	alpha  bool // the image keeps its transparency; else it is opaque
}

func (w window) row(y, width int) []uint8 { return w.pix[y*w.stride:][:4*width] }

// scratch is memory that one call needs and the next can use again.
type scratch struct {
	rows, cols coefficients
	fixed      []int32 // rows' weights
	spans      spans   // of cols
	row, mixed []uint8
	across     []uint8
	taps       [][]uint8
	ring       []uint8
	wide       []float64 // a row of grey of more than bytes
	wideRing   []float64
	xs         []int
}

// scratchPool holds nothing that outlives a call, only memory.
var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// resized returns a slice of n elements of any value, in buf's memory if it
// is large enough.
func resized[T any](buf []T, n int) []T {
	if cap(buf) < n {
		return make([]T, n)
	}
	return buf[:n]
}
