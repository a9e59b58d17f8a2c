package dataset

import (
	"image"
	"image/draw"
	"math"

	"github.com/goclip/goclip/internal/pillow"
)

// toNRGBA returns the picture's pixels from its corner (0, 0) on; img itself
// where it is so already.
func toNRGBA(img image.Image) *image.NRGBA {
	if keyed, ok := img.(*pillow.Keyed); ok {
		img = keyed.Opaque
	}
	b := img.Bounds()
	if src, ok := img.(*image.NRGBA); ok && b.Min == (image.Point{}) {
		return src
	}
	dst := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	if src, ok := img.(*image.RGBA); ok && src.Opaque() {
		for y := range b.Dy() {
			copy(dst.Pix[y*dst.Stride:(y+1)*dst.Stride], src.Pix[y*src.Stride:])
		}
		return dst
	}
	draw.Draw(dst, dst.Rect, img, b.Min, draw.Src)
	return dst
}

// resize scales the part of img within r to width × height. A pixel is the mean
// of those it covers under a triangle twice as wide, as Pillow's bilinear
// filter has it.
func resize(img image.Image, r image.Rectangle, width, height int) *image.NRGBA {
	src := toNRGBA(img)
	r = r.Sub(img.Bounds().Min)
	across := scaleColumns(src, r, filterTaps(r.Dx(), width))
	return scaleRows(across, width, filterTaps(r.Dy(), height))
}

// taps are the weights of one pixel to be, over pixels from first on.
type taps struct {
	first   int
	weights []float32
}

func filterTaps(from, to int) []taps {
	scale := float64(from) / float64(to)
	reach := max(scale, 1)
	list := make([]taps, to)
	for i := range list {
		centre := (float64(i) + 0.5) * scale
		first := max(0, int(math.Floor(centre-reach)))
		last := min(from, int(math.Ceil(centre+reach)))
		var weights []float32
		sum := float32(0)
		for k := first; k < last; k++ {
			w := float32(max(0, 1-math.Abs(float64(k)+0.5-centre)/reach))
			weights = append(weights, w)
			sum += w
		}
		for k := range weights {
			weights[k] /= sum
		}
		list[i] = taps{first, weights}
	}
	return list
}

// scaleColumns returns rows of premultiplied pixels.
func scaleColumns(src *image.NRGBA, r image.Rectangle, columns []taps) [][4]float32 {
	out := make([][4]float32, 0, len(columns)*r.Dy())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := src.Pix[y*src.Stride+4*r.Min.X:]
		for _, t := range columns {
			var sum [4]float32
			for k, w := range t.weights {
				p := row[4*(t.first+k) : 4*(t.first+k)+4]
				a := w * float32(p[3])
				sum[0] += a * float32(p[0])
				sum[1] += a * float32(p[1])
				sum[2] += a * float32(p[2])
				sum[3] += a
			}
			out = append(out, sum)
		}
	}
	return out
}

func scaleRows(pixels [][4]float32, width int, rows []taps) *image.NRGBA {
	dst := image.NewNRGBA(image.Rect(0, 0, width, len(rows)))
	for y, t := range rows {
		for x := range width {
			var sum [4]float32
			for k, w := range t.weights {
				p := &pixels[(t.first+k)*width+x]
				for c := range sum {
					sum[c] += w * p[c]
				}
			}
			to := dst.Pix[y*dst.Stride+4*x : y*dst.Stride+4*x+4]
			for c := range 3 {
				if sum[3] > 0 {
					to[c] = uint8(min(sum[c]/sum[3]+0.5, 255))
				}
			}
			to[3] = uint8(min(sum[3]+0.5, 255))
		}
	}
	return dst
}
