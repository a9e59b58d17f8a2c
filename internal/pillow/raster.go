package pillow

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"

	"github.com/goclip/goclip/internal/pillow/jpeg"
)

// mode is what a raster's bytes mean, after Pillow's modes.
type mode int

const (
	modeRGB     mode = iota // 4 bytes a pixel, the fourth means nothing
	modeRGBA                // 4 bytes, alpha not premultiplied
	modeCMYK                // 4 bytes, 255 is full ink
	modeGray                // 1 byte
	modeIndexed             // 1 byte, into palette
	modeWide                // 2 bytes, big-endian: Pillow's I
	modeDeep                // values of its own
	modeLAB                 // 4 bytes, to be converted
	modeYCC                 // 4 bytes, to be converted
)

var bytesPerPixel = [...]int{modeRGB: 4, modeRGBA: 4, modeCMYK: 4, modeGray: 1, modeIndexed: 1, modeWide: 2, modeLAB: 4, modeYCC: 4}

// raster is an image in a layout that can be resized. It may share the
// caller's memory and is never written to.
type raster struct {
	mode          mode
	width, height int
	stride        int
	pix           []uint8
	palette       [256][3]uint8

	toRGB func(px [4]uint8) [4]uint8 // of modeLAB and modeYCC

	line func(dst []uint8, y, from, to int) // converts a part of a row, of modeRGB without pix

	// Of modeWide and modeDeep: what reads a row, and what a value is rounded to.
	values func(dst []float64, y int)
	round  func(float64) float64
}

// newRaster returns img ready to be resized, laid on ground where it is
// transparent. A ground of nil means none.
func newRaster(img image.Image, ground color.Color) (*raster, error) {
	img = Stored(img)
	if keyed, ok := img.(*Keyed); ok {
		if img = keyed.Image; ground == nil {
			img = keyed.Opaque
		}
	}
	b := img.Bounds()
	if err := checkImage(b.Dy(), b.Dx()); err != nil {
		return nil, err
	}
	r := &raster{width: b.Dx(), height: b.Dy()}
	if err := r.take(img, ground != nil); err != nil {
		return nil, err
	}
	if r.mode == modeRGBA && r.opaque() {
		r.mode = modeRGB
	}
	if r.mode == modeRGBA && ground != nil {
		r.layOn(color.NRGBAModel.Convert(ground).(color.NRGBA))
	}
	return r, nil
}

// take fills r from img, sharing its memory where the layout allows. Images
// of colour come out as modeRGBA, opaque or not. With smooth, a palette that
// has transparent colours is resolved.
func (r *raster) take(img image.Image, smooth bool) error {
	switch img := img.(type) {
	case *image.RGBA:
		if err := r.share(modeRGBA, img.Pix, img.Stride); err != nil {
			return err
		}
		if r.opaque() {
			r.mode = modeRGB
		} else {
			r.convert(img)
		}
	case *jpeg.Planes:
		r.mode, r.line = modeRGB, img.Lines()
	case *image.NRGBA:
		return r.share(modeRGBA, img.Pix, img.Stride)
	case *image.CMYK:
		return r.share(modeCMYK, img.Pix, img.Stride)
	case *image.Gray:
		return r.share(modeGray, img.Pix, img.Stride)
	case *image.Gray16:
		r.values, r.round = r.wide16, roundAway
		return r.share(modeWide, img.Pix, img.Stride)
	case *Spaced:
		r.toRGB = img.toRGB
		return r.share(modeLAB+mode(img.Space), img.Pix, img.Stride)
	case *Deep[int32]:
		r.mode, r.values, r.round = modeDeep, img.values(), roundAway
	case *Deep[float32]:
		r.mode, r.values, r.round = modeDeep, img.values(), roundFloat
	case *image.Paletted:
		colours := straight(img.Palette)
		if err := r.share(modeIndexed, img.Pix, img.Stride); err != nil {
			return err
		}
		if smooth && transparent(colours) {
			r.resolve(colours)
			return nil
		}
		for i, c := range colours {
			r.palette[i] = [3]uint8{c.R, c.G, c.B}
		}
	case *image.YCbCr:
		if !wholeChroma(img) {
			r.convert(img)
			return nil
		}
		rgb := jpeg.RGB(img)
		return r.share(modeRGBA, rgb.Pix, rgb.Stride)
	default:
		r.convert(img)
	}
	return nil
}

// share points r at an image's memory, if that is as large as it has to be.
func (r *raster) share(m mode, pix []uint8, stride int) error {
	row := r.width * bytesPerPixel[m]
	if need := (r.height-1)*stride + row; stride < row || len(pix) < need {
		return fmt.Errorf("an image of %d×%d pixels holds %d bytes in rows of %d", r.width, r.height, len(pix), stride)
	}
	r.mode, r.pix, r.stride = m, pix, stride
	return nil
}

// own gives r memory of 4 bytes a pixel, which it returns.
func (r *raster) own() []uint8 {
	r.mode, r.stride = modeRGBA, 4*r.width
	r.pix = make([]uint8, r.stride*r.height)
	return r.pix
}

// convert fills r with the colours of any image.
func (r *raster) convert(img image.Image) {
	b := img.Bounds()
	deep, _ := img.(*image.NRGBA64)
	out := r.own()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			var c color.NRGBA
			if deep != nil {
				d := deep.NRGBA64At(x, y)
				c = color.NRGBA{uint8(d.R >> 8), uint8(d.G >> 8), uint8(d.B >> 8), uint8(d.A >> 8)}
			} else {
				c = color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			}
			out[0], out[1], out[2], out[3] = c.R, c.G, c.B, c.A
			out = out[4:]
		}
	}
}

// resolve replaces the indices that r shares by their colours.
func (r *raster) resolve(colours [256]color.NRGBA) {
	indices, stride := r.pix, r.stride
	out := r.own()
	for y := range r.height {
		for _, i := range indices[y*stride:][:r.width] {
			c := colours[i]
			out[0], out[1], out[2], out[3] = c.R, c.G, c.B, c.A
			out = out[4:]
		}
	}
}

// layOn blends r with an opaque colour as Pillow's paste with a mask does.
func (r *raster) layOn(ground color.NRGBA) {
	pix, stride := r.pix, r.stride
	out := r.own()
	r.mode = modeRGB
	g := [3]uint32{uint32(ground.R), uint32(ground.G), uint32(ground.B)}
	for y := range r.height {
		row := pix[y*stride:][:4*r.width]
		for i := 0; i < len(row); i += 4 {
			a := uint32(row[i+3])
			for c := range 3 {
				out[c] = div255(uint32(row[i+c])*a + g[c]*(255-a))
			}
			out[3] = 255
			out = out[4:]
		}
	}
}

// opaque reports whether every fourth byte is 255.
func (r *raster) opaque() bool {
	const alphas = 0xff000000ff000000
	for y := range r.height {
		row := r.pix[y*r.stride:][:4*r.width]
		and := ^uint64(0)
		for ; len(row) >= 32; row = row[32:] {
			le := binary.LittleEndian
			and &= le.Uint64(row) & le.Uint64(row[8:]) & le.Uint64(row[16:]) & le.Uint64(row[24:])
		}
		for ; len(row) >= 4; row = row[4:] {
			and &= uint64(row[3])<<24 | alphas&^0xff000000
		}
		if and&alphas != alphas {
			return false
		}
	}
	return true
}

// fill returns the colour of padding whose every channel is v in r's mode.
func (r *raster) fill(v uint8) [4]uint8 {
	px := [4]uint8{v, v, v, v}
	switch r.mode {
	case modeIndexed:
		c := r.palette[v]
		px = [4]uint8{c[0], c[1], c[2]}
	case modeCMYK:
		px = inkToRGB(px)
	case modeLAB, modeYCC:
		px = r.toRGB(px)
	}
	px[3] = 255
	return px
}

// straight returns a palette without premultiplied alpha; the colours that it
// lacks are grey, as in Pillow.
func straight(p color.Palette) (colours [256]color.NRGBA) {
	for i := range colours {
		colours[i] = color.NRGBA{uint8(i), uint8(i), uint8(i), 255}
		if i < len(p) {
			colours[i] = color.NRGBAModel.Convert(p[i]).(color.NRGBA)
		}
	}
	return colours
}

func transparent(colours [256]color.NRGBA) bool {
	for _, c := range colours {
		if c.A != 255 {
			return true
		}
	}
	return false
}

// wholeChroma reports whether img begins on a chroma sample and its planes are
// complete; a sub-image may begin inside one.
func wholeChroma(img *image.YCbCr) bool {
	b := img.Rect
	last := image.Pt(b.Max.X-1, b.Max.Y-1)
	if img.YOffset(last.X, last.Y) >= len(img.Y) || img.COffset(last.X, last.Y) >= min(len(img.Cb), len(img.Cr)) {
		return false
	}
	if b.Dx() > img.YStride || b.Min.X < 0 || b.Min.Y < 0 {
		return false
	}
	h, v := jpeg.Subsampling(img.SubsampleRatio)
	return b.Min.X%h == 0 && b.Min.Y%v == 0
}

// div255 is a/255 rounded, as Pillow computes it.
func div255(a uint32) uint8 {
	a += 128
	return uint8((a>>8 + a) >> 8)
}

// divideByAlpha undoes premultiplication as Pillow does.
func divideByAlpha(px [4]uint8) [4]uint8 {
	if a := int(px[3]); a != 0 && a != 255 {
		for c := range 3 {
			px[c] = uint8(min(255*int(px[c])/a, 255))
		}
	}
	return px
}

// inkToRGB is Pillow's conversion of CMYK.
func inkToRGB(px [4]uint8) [4]uint8 {
	white := uint32(255 - px[3])
	for i := range 3 {
		px[i] = uint8(white - uint32(div255(uint32(px[i])*white)))
	}
	px[3] = 255
	return px
}
