package dataset

import (
	"image"
	"image/draw"

	"github.com/goclip/goclip/internal/pillow"
)

// toNRGBA returns the picture's pixels from its corner (0, 0) on. Where they are
// stored so already it shares their memory, which nobody may write to.
func toNRGBA(img image.Image) *image.NRGBA {
	if keyed, ok := img.(*pillow.Keyed); ok {
		img = keyed.Opaque
	}
	b := img.Bounds()
	if src, ok := img.(*image.NRGBA); ok && b.Min == (image.Point{}) {
		return src
	}
	whole := image.Rect(0, 0, b.Dx(), b.Dy())
	if src, ok := img.(*image.RGBA); ok && src.Opaque() {
		return &image.NRGBA{Pix: src.Pix, Stride: src.Stride, Rect: whole}
	}
	dst := image.NewNRGBA(whole)
	draw.Draw(dst, dst.Rect, img, b.Min, draw.Src)
	return dst
}
