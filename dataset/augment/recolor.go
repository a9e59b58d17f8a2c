package augment

import (
	"image"
	"math"
	"math/rand/v2"

	"github.com/goclip/goclip/dataset"
)

// Grey converts to greyscale with probability p (ITU-R 601 luma).
func Grey(p float64) dataset.Augment {
	return func(r *rand.Rand, img image.Image) image.Image {
		if r.Float64() >= p {
			return img
		}
		return recolor(toNRGBA(img), func(c rgb) rgb {
			y := c.luma()
			return rgb{y, y, y}
		})
	}
}

// ColorJitter changes brightness, contrast and saturation by factors drawn from
// 1-x to 1+x, and rotates the hue by up to ± hue of the colour circle, in this
// fixed order. The parameters are those of torchvision's ColorJitter. A value
// of 0 leaves its property as it is.
func ColorJitter(brightness, contrast, saturation, hue float64) dataset.Augment {
	return func(r *rand.Rand, img image.Image) image.Image {
		bright := between(r, max(0, 1-brightness), 1+brightness)
		strong := between(r, max(0, 1-contrast), 1+contrast)
		vivid := between(r, max(0, 1-saturation), 1+saturation)
		turn := newHueTurn(2 * math.Pi * between(r, -hue, hue))
		src := toNRGBA(img)
		mean := 0.0
		if contrast != 0 {
			mean = bright * meanLuma(src)
		}
		grey := rgb{mean, mean, mean}
		return recolor(src, func(c rgb) rgb {
			c = rgb{}.toward(c, bright).clamp()
			c = grey.toward(c, strong).clamp()
			y := c.luma()
			c = rgb{y, y, y}.toward(c, vivid).clamp()
			if hue == 0 {
				return c
			}
			return turn.apply(c)
		})
	}
}

// rgb is a colour from 0 to 255.
type rgb [3]float64

// luma weighs the channels as ITU-R 601 does.
func (c rgb) luma() float64 { return 0.299*c[0] + 0.587*c[1] + 0.114*c[2] }

// toward goes the given part of the way to d; beyond it where part is over 1.
func (c rgb) toward(d rgb, part float64) rgb {
	return rgb{c[0] + part*(d[0]-c[0]), c[1] + part*(d[1]-c[1]), c[2] + part*(d[2]-c[2])}
}

func (c rgb) clamp() rgb {
	return rgb{min(max(c[0], 0), 255), min(max(c[1], 0), 255), min(max(c[2], 0), 255)}
}

// hueTurn turns colours about the axis of greys (Rodrigues' formula).
type hueTurn [3]rgb

func newHueTurn(angle float64) hueTurn {
	sin, cos := math.Sincos(angle)
	mean, side := (1-cos)/3, sin/math.Sqrt(3)
	return hueTurn{
		{mean + cos, mean - side, mean + side},
		{mean + side, mean + cos, mean - side},
		{mean - side, mean + side, mean + cos},
	}
}

func (m *hueTurn) apply(c rgb) (out rgb) {
	for i, row := range m {
		out[i] = row[0]*c[0] + row[1]*c[1] + row[2]*c[2]
	}
	return out
}

// recolor changes every pixel; how transparent it is stays.
func recolor(src *image.NRGBA, change func(rgb) rgb) *image.NRGBA {
	dst := image.NewNRGBA(src.Rect)
	for y := range src.Rect.Dy() {
		from, to := src.Pix[y*src.Stride:], dst.Pix[y*dst.Stride:]
		for i := 0; i < 4*src.Rect.Dx(); i += 4 {
			c := change(rgb{float64(from[i]), float64(from[i+1]), float64(from[i+2])}).clamp()
			to[i], to[i+1], to[i+2] = uint8(c[0]+0.5), uint8(c[1]+0.5), uint8(c[2]+0.5)
			to[i+3] = from[i+3]
		}
	}
	return dst
}

func meanLuma(src *image.NRGBA) float64 {
	sum := 0.0
	for y := range src.Rect.Dy() {
		row := src.Pix[y*src.Stride:]
		for i := 0; i < 4*src.Rect.Dx(); i += 4 {
			sum += rgb{float64(row[i]), float64(row[i+1]), float64(row[i+2])}.luma()
		}
	}
	return sum / float64(src.Rect.Dx()*src.Rect.Dy())
}
