package vision

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"sync"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/pillow"
)

// Preprocess turns an image into the pixels that an image tower reads: resized, cut or
// padded to Size, reduced to RGB, normalised. It does what openai/CLIP's and open_clip's
// evaluation transforms do with Pillow 9.4 and torchvision 0.14, or with
// [StepsTransformers] what the image processors of transformers 5 do with Pillow 12, to the
// last bit.
//
// open_clip resizes an image before it converts it to RGB, so the kind of
// image matters. [Decode] reads files so that the kind is kept:
//
//	*image.Paletted                 resized by nearest neighbour, whatever Interpolation says
//	*image.NRGBA, *image.RGBA       resized with alpha premultiplied; alpha is then dropped
//	*image.CMYK                     resized as it is, then converted
//	*image.Gray16                   resized as it is, then clipped at 255 (not scaled)
//	*image.YCbCr                    converted as libjpeg does, chroma interpolated
//	*image.Gray, opaque colour      resized as it is
//	any other image.Image           taken as 8-bit colour with straight alpha
//
// 16-bit colour is reduced to its high byte. Fields marked required have no default; for
// the others the zero value means what the comment says. A Preprocess is safe for
// concurrent use as long as its fields do not change.
type Preprocess struct {
	// Size is the height and width of the result. Required, but for images that become
	// patches; with StepsTransformers zero leaves a scaled image uncut, so that results
	// differ in size: see [Preprocess.Shape].
	Size [2]int

	// Resize is how an image of another shape is fitted: covering Size, padded
	// with Fill to Size, or stretched.
	Resize Resize

	// Interpolation is the filter. open_clip takes Bicubic, whatever is said
	// here, for ResizeShortest where Size is not square.
	Interpolation Interpolation

	// Mean and Std normalise a channel v of 0 to 255: (v/255 − Mean)/Std.
	// Std is required.
	Mean, Std [3]float32

	// Fill is the value of every channel of the padding, before the conversion
	// to RGB, as in open_clip: in a palette image it is an index, in CMYK 0
	// is white.
	Fill uint8

	// Ground is what an image with transparency is laid on before anything
	// else. Nil means that transparency is treated as the reference treats it:
	// transformers lays it on white; with open_clip in effect the colours under it show,
	// near its border mixed with black.
	Ground color.Color

	// Steps says whose preprocessing this is.
	Steps Steps `json:",omitzero"`

	// Scale is the height and width that an image is scaled to before it is cut or padded
	// to Size; zero means Size. For ResizeShortest it is the shorter side, and the most
	// that the longer one may have, zero for no limit. For StepsTransformers only.
	Scale [2]int `json:",omitzero"`

	// Draft is how an image's file is to be decoded: JPEG files at a part of their size where
	// twice what they are scaled to is left, in a fraction of the time, as Pillow's thumbnails
	// are. No published evaluation does so, and embeddings differ a little. Whoever decodes
	// passes DraftSide on.
	Draft bool `json:",omitzero"`

	// PatchSize and MaxPatches, where not zero, are of towers that take images of any shape:
	// an image is stretched to whole patches, as many as fit into MaxPatches at about its
	// shape, with ResizeSquash. See [Preprocess.Patches].
	PatchSize, MaxPatches int `json:",omitempty"`
}

// CLIPPreprocess returns the preprocessing of OpenAI's models, and of most
// others, for square images of the given side.
func CLIPPreprocess(size int) *Preprocess {
	return &Preprocess{
		Size: [2]int{size, size},
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073},
		Std:  [3]float32{0.26862954, 0.26130258, 0.27577711},
	}
}

// Validate reports the first field that cannot be used.
func (p *Preprocess) Validate() error {
	if p == nil {
		return errors.New("vision: preprocess: the Preprocess is nil")
	}
	if err := p.validateSize(); err != nil {
		return err
	}
	if p.Resize > ResizeNone {
		return fmt.Errorf("vision: preprocess: Resize %w", enum.Valid(p.Resize, resizeNames()))
	}
	if p.Interpolation > Hamming {
		return fmt.Errorf("vision: preprocess: Interpolation %w", enum.Valid(p.Interpolation, interpolationNames()))
	}
	if p.Steps > StepsTransformers {
		return fmt.Errorf("vision: preprocess: Steps %w", enum.Valid(p.Steps, stepsNames()))
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

func (p *Preprocess) validateSize() error {
	if p.MaxPatches != 0 || p.PatchSize != 0 {
		return p.validatePatches()
	}
	size, open := p.Size, p.Size == [2]int{} && p.Steps == StepsTransformers
	if open && p.Resize == ResizeSquash {
		size, open = p.Scale, false
	}
	h, w := size[0], size[1]
	if !open && (h < 1 || w < 1 || h > pillow.MaxSide || w > pillow.MaxSide || h > pillow.DefaultMaxPixels/w) {
		return fmt.Errorf("vision: preprocess: Size %d×%d, want two positive sides and at most %d pixels", h, w, pillow.DefaultMaxPixels)
	}
	if p.Steps == StepsTransformers && p.Resize == ResizeLongest {
		return fmt.Errorf("vision: preprocess: Resize is longest, which Steps %s has not", p.Steps)
	}
	if p.Scale == [2]int{} && !(open && p.Resize != ResizeNone) {
		return nil
	}
	short, long := p.Scale[0], p.Scale[1]
	switch {
	case p.Steps != StepsTransformers || p.Resize == ResizeNone:
		return fmt.Errorf("vision: preprocess: Scale is %v, but Steps %s and Resize %s have none", p.Scale, p.Steps, p.Resize)
	case short < 1 || long < 0 || p.Resize == ResizeSquash && long < 1 || short > pillow.MaxSide || long > pillow.MaxSide:
		return fmt.Errorf("vision: preprocess: Scale is %v, want positive sides up to %d", p.Scale, pillow.MaxSide)
	}
	return nil
}

// DraftSide is [DecodeOptions].Draft for images that p prepares: 0 where Draft is not set,
// or where they are not scaled to one size.
func (p *Preprocess) DraftSide() int {
	if p == nil || !p.Draft || p.MaxPatches > 0 || p.Resize == ResizeNone {
		return 0
	}
	switch {
	case p.Scale == [2]int{}:
		return 2 * max(p.Size[0], p.Size[1])
	case p.Resize == ResizeSquash:
		return 2 * max(p.Scale[0], p.Scale[1])
	}
	return 2 * p.Scale[0]
}

// Shape returns the height and width of the result for an image: Size, where that is
// set.
func (p *Preprocess) Shape(img image.Image) ([2]int, error) {
	if err := p.Validate(); err != nil {
		return [2]int{}, err
	}
	p, err := p.sized(img)
	if err != nil {
		return [2]int{}, err
	}
	h, w, err := p.fit().Shape(img)
	if err != nil {
		return [2]int{}, fmt.Errorf("vision: %w", err)
	}
	return [2]int{h, w}, nil
}

// Image writes the normalised pixels of img to dst, (3, H, W). It is an error if
// dst has another length, if images become patches, if img has no pixels or more than
// about 179 million, or if it would be scaled to a side shorter than half a pixel.
func (p *Preprocess) Image(dst []float32, img image.Image) error {
	size, err := p.Shape(img)
	if err != nil {
		return err
	}
	if p.MaxPatches > 0 {
		return errors.New("vision: preprocess: images become patches, which Patches makes")
	}
	n := size[0] * size[1]
	if len(dst) != 3*n {
		return fmt.Errorf("vision: preprocess: dst has %d elements, want 3·%d·%d", len(dst), size[0], size[1])
	}
	buf := rgbaPool.Get().(*[]uint8)
	defer rgbaPool.Put(buf)
	if cap(*buf) < 4*n {
		*buf = make([]uint8, 4*n)
	}
	rgba := (*buf)[:4*n]
	if err := p.fit().Render(rgba, img); err != nil {
		return fmt.Errorf("vision: %w", err)
	}
	p.normalise(dst, rgba)
	return nil
}

// rgbaPool holds memory for the images between [Preprocess.Image]'s two steps.
var rgbaPool = sync.Pool{New: func() any { return new([]uint8) }}

// RGB returns the image that [Preprocess.Image] or [Preprocess.Patches] normalises, opaque.
func (p *Preprocess) RGB(img image.Image) (*image.RGBA, error) {
	p, err := p.sized(img)
	if err != nil {
		return nil, err
	}
	size, err := p.Shape(img)
	if err != nil {
		return nil, err
	}
	out := image.NewRGBA(image.Rect(0, 0, size[1], size[0]))
	if err := p.fit().Render(out.Pix, img); err != nil {
		return nil, fmt.Errorf("vision: %w", err)
	}
	return out, nil
}

// fit is all but the normalisation.
func (p *Preprocess) fit() pillow.Fit {
	f := pillow.Fit{Size: p.Size, Resize: pillow.Resize(p.Resize), Filter: pillow.Filter(p.Interpolation), Fill: p.Fill, Ground: p.Ground}
	if p.Steps == StepsTransformers {
		f.Transformers, f.Scale = true, p.Scale
		if f.Ground == nil {
			f.Ground = color.White
		}
		return f
	}
	if p.Size[0] != p.Size[1] && p.Resize == ResizeShortest {
		// The one way of resizing to which open_clip does not pass the
		// interpolation on (transform.py at 89fb801, image_transform).
		f.Filter = pillow.Bicubic
	}
	return f
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
