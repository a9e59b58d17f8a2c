// Package augment is random data augmentation of images. [dataset.BatchOptions] takes what
// these functions return:
//
//	dataset.BatchOptions{Size: 128, Augment: augment.Chain(augment.Flip(0.5), augment.PadAndCrop(4))}
//
// The same random generator state and image give the same result. The input image is never
// written to. The augmentations may be called from several goroutines at once.
package augment

import (
	"image"
	"image/draw"
	"math/rand/v2"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/pillow"
)

// Chain applies augmentations one after the other.
func Chain(steps ...dataset.Augment) dataset.Augment {
	return func(r *rand.Rand, img image.Image) image.Image {
		for _, step := range steps {
			img = step(r, img)
		}
		return img
	}
}

func between(r *rand.Rand, a, b float64) float64 { return a + (b-a)*r.Float64() }

// toNRGBA returns the image's pixels from its corner (0, 0) on. Where they are
// stored so already it shares their memory, which nobody may write to.
func toNRGBA(img image.Image) *image.NRGBA {
	if keyed, ok := img.(*pillow.Keyed); ok {
		img = keyed.Opaque
	}
	if planes, ok := img.(interface{ RGBA() *image.RGBA }); ok {
		img = planes.RGBA()
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
