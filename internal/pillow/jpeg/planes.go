package jpeg

import (
	"image"
	"image/color"
	"sync"
)

// Planes is an opaque image of colour as the file has it, in planes of samples. Rows are
// converted when they are wanted, so that an image that is scaled down is never there
// in pixels of its own size. It is safe for concurrent use.
type Planes struct {
	rect    image.Rectangle
	ups     []upsampler // without memory of their own
	convert func(dst []byte, rows *[4][]byte)
	rows    int // that are known; the others are black

	once sync.Once
	rgba *image.RGBA
}

// Lines returns what converts columns from to to of row y, 4 bytes a pixel whose fourth is
// 255. It has memory of its own, and is for one goroutine.
func (p *Planes) Lines() func(dst []byte, y, from, to int) {
	ups, rows := make([]*upsampler, len(p.ups)), new([4][]byte)
	for i, u := range p.ups {
		ups[i] = newUpsampler(u.plane, u.stride, u.width, u.height, u.hScale, u.vScale)
		ups[i].repeats = u.repeats
	}
	return func(dst []byte, y, from, to int) {
		dst = dst[:4*(to-from)]
		if y >= p.rows {
			for i := range dst {
				dst[i] = byte(i&3/3) * 255
			}
			return
		}
		for i, u := range ups {
			rows[i] = u.row(y)[from:to]
		}
		p.convert(dst, rows)
	}
}

// RGBA returns all pixels, which nobody may write to.
func (p *Planes) RGBA() *image.RGBA {
	p.once.Do(func() {
		img := &image.RGBA{Pix: make([]byte, 4*p.rect.Dx()*p.rect.Dy()), Stride: 4 * p.rect.Dx(), Rect: p.rect}
		line := p.Lines()
		for y := range p.rect.Dy() {
			line(img.Pix[y*img.Stride:], y, 0, p.rect.Dx())
		}
		p.rgba = img
	})
	return p.rgba
}

// Bounds are the size in the header.
func (p *Planes) Bounds() image.Rectangle { return p.rect }

// ColorModel is image.RGBA's.
func (p *Planes) ColorModel() color.Model { return color.RGBAModel }

// At converts the whole image when it is first called.
func (p *Planes) At(x, y int) color.Color { return p.RGBA().At(x, y) }

// RGBA64At is At without memory, as package draw wants it.
func (p *Planes) RGBA64At(x, y int) color.RGBA64 { return p.RGBA().RGBA64At(x, y) }

// Opaque returns true.
func (p *Planes) Opaque() bool { return true }
