package vision

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"slices"
	"sync"
)

// Preprocess says how a picture becomes the pixels that an image tower reads:
// resized, cut or padded to Size, reduced to RGB, normalised. It does what
// openai/CLIP's and open_clip's evaluation transforms do with Pillow 9.4 and
// torchvision 0.14, to the last bit.
//
// The reference resizes a picture before it converts it to RGB, so the kind of
// picture matters. [Decode] reads files so that the kind is kept:
//
//	*image.Paletted                 resized by nearest neighbour, whatever Interpolation says
//	*image.NRGBA, *image.RGBA       resized with alpha premultiplied; alpha is then dropped
//	*image.CMYK                     resized as it is, then converted
//	*image.Gray16                   resized as it is, then clipped at 255 (not scaled)
//	*image.YCbCr                    converted as libjpeg does, chroma interpolated
//	*image.Gray, opaque colour      resized as it is
//	any other image.Image           taken as 8-bit colour with straight alpha
//
// 16-bit colour is reduced to its high byte. The zero value of a field means
// what its comment says, or is refused where the comment says required.
// A Preprocess is safe for concurrent use as long as nobody changes it.
type Preprocess struct {
	// Size is the height and width of the result. Required.
	Size [2]int

	// Resize is how a picture of another shape is fitted: "shortest" scales it
	// to cover Size and cuts from the centre, "longest" scales it to fit in and
	// pads with Fill, "squash" ignores its shape. Empty means "shortest".
	Resize string

	// Interpolation is "bicubic" (a = −0.5) or "bilinear", both with Pillow's
	// anti-aliasing. Empty means "bicubic", which open_clip also takes, whatever
	// is said here, for "shortest" where Size is not square.
	Interpolation string

	// Mean and Std normalise a channel v of 0 to 255: (v/255 − Mean)/Std.
	// Std is required.
	Mean, Std [3]float32

	// Fill is the value of every channel of the padding, before the conversion
	// to RGB, as in open_clip: in a palette picture it is an index, in CMYK 0
	// is white.
	Fill uint8

	// Ground is what a picture with transparency is laid on before anything
	// else. Nil means that transparency is treated as the reference treats it:
	// in effect the colours under it show, near its border mixed with black.
	Ground color.Color
}

// CLIPPreprocess returns the preprocessing of OpenAI's models, and of most
// others, for square pictures of the given side.
func CLIPPreprocess(size int) *Preprocess {
	return &Preprocess{
		Size: [2]int{size, size},
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073},
		Std:  [3]float32{0.26862954, 0.26130258, 0.27577711},
	}
}

// maxSide bounds the sides of pictures and results, and so the memory that the
// filter's coefficients take; maxPixels bounds pictures, as in pillow.
const (
	maxSide   = 1 << 20
	maxPixels = 178_956_970
)

// Validate reports the first field that cannot be used.
func (p *Preprocess) Validate() error {
	h, w := p.Size[0], p.Size[1]
	if h < 1 || w < 1 || h > maxSide || w > maxSide || h > maxPixels/w {
		return fmt.Errorf("vision: preprocess: Size %d×%d, want two positive sides and at most %d pixels", h, w, maxPixels)
	}
	if !slices.Contains([]string{"", "shortest", "longest", "squash"}, p.Resize) {
		return fmt.Errorf("vision: preprocess: Resize %q, want shortest, longest or squash", p.Resize)
	}
	if !slices.Contains([]string{"", "bicubic", "bilinear"}, p.Interpolation) {
		return fmt.Errorf("vision: preprocess: Interpolation %q, want bicubic or bilinear", p.Interpolation)
	}
	if p.Ground != nil {
		if _, _, _, a := p.Ground.RGBA(); a != 0xffff {
			return fmt.Errorf("vision: preprocess: Ground %v is not opaque", p.Ground)
		}
	}
	for i := range 3 {
		if m := p.Mean[i]; m-m != 0 {
			return fmt.Errorf("vision: preprocess: Mean[%d] is %v, want a finite number", i, m)
		}
		if s := p.Std[i]; !(s > 0) || s-s != 0 {
			return fmt.Errorf("vision: preprocess: Std[%d] is %v, want a positive number", i, s)
		}
	}
	return nil
}

// Image writes the normalised pixels of img to dst, (3, H, W). It fails where
// dst has another length, where img has no pixels or more than about 179
// million, and where "longest" would leave a side shorter than half a pixel.
func (p *Preprocess) Image(dst []float32, img image.Image) error {
	if err := p.Validate(); err != nil {
		return err
	}
	n := p.Size[0] * p.Size[1]
	if len(dst) != 3*n {
		return fmt.Errorf("vision: preprocess: dst has %d elements, want 3·%d·%d", len(dst), p.Size[0], p.Size[1])
	}
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	s.out = resized(s.out, 4*n)
	if err := p.render(s, s.out, img); err != nil {
		return err
	}
	p.normalise(dst, s.out)
	return nil
}

// RGB returns the picture of Size that [Preprocess.Image] normalises, opaque.
func (p *Preprocess) RGB(img image.Image) (*image.RGBA, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	out := image.NewRGBA(image.Rect(0, 0, p.Size[1], p.Size[0]))
	if err := p.render(s, out.Pix, img); err != nil {
		return nil, err
	}
	return out, nil
}

// normalise does what ToTensor and Normalize do, each operation rounded to
// float32 as theirs is.
func (p *Preprocess) normalise(dst []float32, rgba []uint8) {
	var table [3][256]float32
	for c := range table {
		for v := range table[c] {
			x := float32(v) / 255
			x -= p.Mean[c]
			table[c][v] = x / p.Std[c]
		}
	}
	n := len(rgba) / 4
	r, g, b := dst[:n], dst[n:2*n], dst[2*n:3*n]
	for i := range r {
		px := rgba[4*i : 4*i+4 : 4*i+4]
		r[i], g[i], b[i] = table[0][px[0]], table[1][px[1]], table[2][px[2]]
	}
}

// render writes the picture of Size to out, 4 bytes a pixel, opaque.
func (p *Preprocess) render(s *scratch, out []uint8, img image.Image) error {
	if img == nil {
		return errors.New("vision: preprocess: the image is nil")
	}
	pic, err := p.raster(img)
	if err != nil {
		return fmt.Errorf("vision: preprocess: %w", err)
	}
	rows, cols, err := p.place(pic.height, pic.width)
	if err != nil {
		return fmt.Errorf("vision: preprocess: %w", err)
	}
	if rows.count < rows.size || cols.count < cols.size {
		fill := pic.fill(p.Fill)
		for i := 0; i < len(out); i += 4 {
			copy(out[i:i+4], fill[:])
		}
	}
	// The part of out that the picture covers.
	part := window{pix: out[4*(rows.pad*cols.size+cols.pad):], stride: 4 * cols.size}
	switch {
	case pic.mode == modeIndexed:
		pic.nearest(s, part, rows, cols)
	case pic.mode == modeWide:
		pic.resampleWide(s, part, rows, cols, p.filter())
	default:
		pic.resample(s, part, rows, cols, p.filter())
	}
	return nil
}

// window is a place in a picture of 4 bytes a pixel.
type window struct {
	pix    []uint8
	stride int
}

func (w window) row(y, width int) []uint8 { return w.pix[y*w.stride:][:4*width] }

// scratch is memory that one call needs and the next can use again.
type scratch struct {
	out        []uint8
	rows, cols coefficients
	fixed      []int32 // rows' weights
	spans      spans   // of cols
	row, mixed []uint8
	taps       [][]uint8
	ring       []uint8
	wide       []int32 // ring of 16-bit grey
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
