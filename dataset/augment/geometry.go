package augment

import (
	"image"
	"math"
	"math/rand/v2"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/pillow"
)

// RandomResizedCrop cuts out a rectangle of a random share of the area, between
// scale[0] and scale[1], and a random aspect ratio, width to height, between
// ratio[0] and ratio[1] on a logarithmic scale, and resizes it to width × height
// with Pillow's bilinear filter, bit for bit. Where ten draws do not fit in the
// image, it takes the middle, as wide or as high as the ratios allow. It follows
// the RandomResizedCrop of torchvision; CLIP's training used scales of 0.9 to 1,
// and 0.08 to 1 is usual for classifiers, with ratios of 3/4 to 4/3. A width or
// height below 1 counts as 1.
func RandomResizedCrop(width, height int, scale, ratio [2]float64) dataset.Augment {
	return func(r *rand.Rand, img image.Image) image.Image {
		b := img.Bounds()
		box := randomRect(r, b, scale, ratio).Sub(b.Min)
		return pillow.ResizedCrop(toNRGBA(img), box, max(width, 1), max(height, 1), pillow.Bilinear)
	}
}

func randomRect(r *rand.Rand, b image.Rectangle, scale, ratio [2]float64) image.Rectangle {
	area := float64(b.Dx()) * float64(b.Dy())
	low, high := math.Log(ratio[0]), math.Log(ratio[1])
	for range 10 {
		share := area * between(r, scale[0], scale[1])
		aspect := math.Exp(between(r, low, high))
		w, h := int(math.Round(math.Sqrt(share*aspect))), int(math.Round(math.Sqrt(share/aspect)))
		if w > 0 && h > 0 && w <= b.Dx() && h <= b.Dy() {
			x, y := r.IntN(b.Dx()-w+1), r.IntN(b.Dy()-h+1)
			return image.Rect(x, y, x+w, y+h).Add(b.Min)
		}
	}
	w, h := b.Dx(), b.Dy()
	aspect := float64(w) / float64(h)
	if aspect < ratio[0] {
		h = max(1, min(h, int(math.Round(float64(w)/ratio[0]))))
	} else if aspect > ratio[1] {
		w = max(1, min(w, int(math.Round(float64(h)*ratio[1]))))
	}
	x, y := (b.Dx()-w)/2, (b.Dy()-h)/2
	return image.Rect(x, y, x+w, y+h).Add(b.Min)
}

// PadAndCrop moves the image by up to pad pixels each way and repeats its
// edge in the gap; the size stays the same. A pad below 0 counts as 0.
func PadAndCrop(pad int) dataset.Augment {
	pad = max(pad, 0)
	return func(r *rand.Rand, img image.Image) image.Image {
		dx, dy := r.IntN(2*pad+1)-pad, r.IntN(2*pad+1)-pad
		src := toNRGBA(img)
		w, h := src.Rect.Dx(), src.Rect.Dy()
		dst := image.NewNRGBA(src.Rect)
		for y := range h {
			from := src.Pix[min(max(y+dy, 0), h-1)*src.Stride:]
			to := dst.Pix[y*dst.Stride:]
			for x := range w {
				k := min(max(x+dx, 0), w-1)
				copy(to[4*x:4*x+4], from[4*k:4*k+4])
			}
		}
		return dst
	}
}

// Flip mirrors an image horizontally with probability p.
func Flip(p float64) dataset.Augment {
	return func(r *rand.Rand, img image.Image) image.Image {
		if r.Float64() >= p {
			return img
		}
		src := toNRGBA(img)
		w := src.Rect.Dx()
		dst := image.NewNRGBA(src.Rect)
		for y := range src.Rect.Dy() {
			from, to := src.Pix[y*src.Stride:], dst.Pix[y*dst.Stride:]
			for x := range w {
				copy(to[4*x:4*x+4], from[4*(w-1-x):])
			}
		}
		return dst
	}
}
