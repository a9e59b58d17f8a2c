package pillow

import (
	"image"
	"image/color"
	"math"
)

// Deep is grey whose values are more than bytes: Pillow's modes I (int32) and F
// (float32). Pillow resizes them as they are; as colours they are clipped to
// 0 … 255.
type Deep[T int32 | float32] struct {
	Pix    []T // row after row
	Stride int // of a row, in values
	Rect   image.Rectangle
}

// NewDeep returns an image of zeros.
func NewDeep[T int32 | float32](width, height int) *Deep[T] {
	return &Deep[T]{Pix: make([]T, width*height), Stride: width, Rect: image.Rect(0, 0, width, height)}
}

// Bounds implements image.Image.
func (d *Deep[T]) Bounds() image.Rectangle { return d.Rect }

// ColorModel implements image.Image.
func (d *Deep[T]) ColorModel() color.Model { return color.GrayModel }

// At implements image.Image.
func (d *Deep[T]) At(x, y int) color.Color {
	if !image.Pt(x, y).In(d.Rect) {
		return color.Gray{}
	}
	return color.Gray{clipValue(float64(d.row(y - d.Rect.Min.Y)[x-d.Rect.Min.X]))}
}

func (d *Deep[T]) row(y int) []T { return d.Pix[y*d.Stride:][:d.Rect.Dx()] }

// turned returns the pixels as o sees them.
func (d *Deep[T]) turned(o turn) *Deep[T] {
	out := NewDeep[T](o.width, o.height)
	for y := range o.height {
		row := out.row(y)
		for x := range row {
			sx, sy := o.source(x, y)
			row[x] = d.row(sy)[sx]
		}
	}
	return out
}

// values returns what reads rows for resampling.
func (d *Deep[T]) values() func(dst []float64, y int) {
	return func(dst []float64, y int) {
		for i, v := range d.row(y) {
			dst[i] = float64(v)
		}
	}
}

// clipValue is Pillow's conversion to a byte. What is no number is 0.
func clipValue(v float64) uint8 {
	if !(v > 0) {
		return 0
	}
	return uint8(min(v, 255))
}

// roundAway rounds half away from zero to an int32. As on amd64, what does not
// fit is the least of them.
func roundAway(x float64) float64 {
	r := math.Copysign(math.Floor(math.Abs(x)+0.5), x)
	if !(r >= math.MinInt32 && r <= math.MaxInt32) {
		return math.MinInt32
	}
	return r
}

// roundFloat rounds to a float32.
func roundFloat(x float64) float64 { return float64(float32(x)) }
