package pillow

import (
	"bytes"
	"image"
	"image/color"
	"math"

	"github.com/goclip/goclip/internal/pillow/jpeg"
)

// metadata is where a file may say how it was turned.
type metadata struct {
	exif []byte // with or without the "Exif" before it
	xmp  []byte
}

// Orientation returns the orientation of an encoded image, 1 to 8: which of the
// turns and mirrorings that [Orient] undoes the camera wrote it with. EXIF says
// it, or else XMP. It is 1 where the file says nothing, and for TIFF and
// HEIC, whose orientation decoding has applied already.
func Orientation(data []byte) int {
	f := sniff(data)
	if f == nil {
		// HEIC has been turned by what has converted it.
		if kind, _ := foreign(data); kind.Format == AVIF {
			return readContainer(data).orientation()
		}
		return 1
	}
	return f.orientation(data)
}

func (f *format) orientation(data []byte) int {
	if f.meta == nil {
		return 1
	}
	m := f.meta(data)
	o, ok := readDirectory(withoutPrefix(m.exif), 0).number(tagOrientation)
	if !ok {
		o = xmpOrientation(m.xmp)
	}
	if o >= 1 && o <= 8 && o == math.Trunc(o) {
		return int(o)
	}
	return 1
}

// xmpOrientation finds tiff:Orientation, an attribute or an element.
func xmpOrientation(xmp []byte) float64 {
	for {
		_, rest, found := bytes.Cut(xmp, []byte("tiff:Orientation"))
		if !found {
			return 1
		}
		value, ok := bytes.CutPrefix(rest, []byte(`="`))
		if !ok {
			value, ok = bytes.CutPrefix(rest, []byte(">"))
		}
		if ok && len(value) > 0 && value[0] >= '0' && value[0] <= '9' {
			return float64(value[0] - '0')
		}
		xmp = rest
	}
}

// Turned is an image as its file stores it, and how that was turned: 2 to 8. As an
// image.Image it is what is stored.
type Turned struct {
	image.Image
	Orientation int
}

// Upright returns an image as it should be seen: that of a [Turned] turned back, and any
// other as it is.
func Upright(img image.Image) image.Image {
	if t, ok := img.(*Turned); ok {
		return Orient(t.Image, t.Orientation)
	}
	return img
}

// Stored returns the image of a [Turned], and any other as it is.
func Stored(img image.Image) image.Image {
	if t, ok := img.(*Turned); ok {
		return t.Image
	}
	return img
}

// UprightBounds returns the bounds of what [Upright] makes of an image.
func UprightBounds(img image.Image) image.Rectangle {
	b := img.Bounds()
	if t, ok := img.(*Turned); ok {
		return newTurn(b, t.Orientation).bounds()
	}
	return b
}

// Orient turns an image that [Decode] returned the way its orientation (1 to
// 8) says it should be seen. Any other orientation leaves it as it is.
func Orient(img image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	b := img.Bounds()
	o := newTurn(b, orientation)
	turned := o.bounds()
	switch img := img.(type) {
	case *Turned:
		return Orient(img.Image, orientation)
	case *Keyed:
		return &Keyed{Image: Orient(img.Image, orientation), Opaque: Orient(img.Opaque, orientation)}
	case *Spaced:
		return &Spaced{Pix: o.pixels(img.Pix, img.Stride, 4), Stride: 4 * o.width, Rect: turned, Space: img.Space, toRGB: img.toRGB}
	case *Deep[int32]:
		return img.turned(o)
	case *Deep[float32]:
		return img.turned(o)
	case *image.Gray:
		return &image.Gray{Pix: o.pixels(img.Pix, img.Stride, 1), Stride: o.width, Rect: turned}
	case *image.Paletted:
		return &image.Paletted{Pix: o.pixels(img.Pix, img.Stride, 1), Stride: o.width, Rect: turned, Palette: img.Palette}
	case *image.Gray16:
		return &image.Gray16{Pix: o.pixels(img.Pix, img.Stride, 2), Stride: 2 * o.width, Rect: turned}
	case *jpeg.Planes:
		return Orient(img.RGBA(), orientation)
	case *image.RGBA:
		return &image.RGBA{Pix: o.pixels(img.Pix, img.Stride, 4), Stride: 4 * o.width, Rect: turned}
	case *image.NRGBA:
		return &image.NRGBA{Pix: o.pixels(img.Pix, img.Stride, 4), Stride: 4 * o.width, Rect: turned}
	case *image.CMYK:
		return &image.CMYK{Pix: o.pixels(img.Pix, img.Stride, 4), Stride: 4 * o.width, Rect: turned}
	}
	out := image.NewNRGBA(turned)
	for y := range o.height {
		for x := range o.width {
			sx, sy := o.source(x, y)
			out.SetNRGBA(x, y, color.NRGBAModel.Convert(img.At(b.Min.X+sx, b.Min.Y+sy)).(color.NRGBA))
		}
	}
	return out
}

// turn maps a turned image of the given size to its source.
type turn struct{ orientation, width, height int }

func newTurn(b image.Rectangle, orientation int) turn {
	t := turn{orientation, b.Dx(), b.Dy()}
	if orientation >= 5 {
		t.width, t.height = t.height, t.width
	}
	return t
}

func (t turn) bounds() image.Rectangle { return image.Rect(0, 0, t.width, t.height) }

func (t turn) source(x, y int) (sx, sy int) {
	mx, my := t.width-1-x, t.height-1-y
	switch t.orientation {
	case 2:
		return mx, y
	case 3:
		return mx, my
	case 4:
		return x, my
	case 5:
		return y, x
	case 6:
		return y, mx
	case 7:
		return my, mx
	default:
		return my, x
	}
}

// pixels takes a band of rows at a time: where columns become rows, those of the band lie
// beside each other in the source.
func (t turn) pixels(pix []byte, stride, size int) []byte {
	const band = 16
	out := make([]byte, t.width*t.height*size)
	for top := 0; top < t.height; top += band {
		bottom := min(top+band, t.height)
		for x := range t.width {
			sx, sy := t.source(x, top)
			nx, ny := t.source(x, top+1)
			at, next := sy*stride+sx*size, (ny-sy)*stride+(nx-sx)*size
			for y := top; y < bottom; y++ {
				to := (y*t.width + x) * size
				if size == 4 {
					*(*[4]byte)(out[to:]) = [4]byte(pix[at:])
				} else {
					copy(out[to:to+size], pix[at:at+size])
				}
				at += next
			}
		}
	}
	return out
}
