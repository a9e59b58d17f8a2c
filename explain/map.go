package explain

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/pillow"
)

// Map is a heat map over an image.
type Map struct {
	Rows, Cols int
	Cells      []float32 // row-major; the larger, the better it fits. Their scale is the method's own

	box     [4]float64 // what of the image the cells cover, in fractions
	upright bool
}

// Peak returns the centre of the largest cell, of equal ones the first, in fractions of the
// image's width and height. Where the image was padded it may be outside.
func (m *Map) Peak() (x, y float64) {
	if m == nil || m.Cols < 1 {
		return 0, 0
	}
	best := 0
	for i, v := range m.Cells {
		if v > m.Cells[best] {
			best = i
		}
	}
	across, down := (float64(best%m.Cols)+0.5)/float64(m.Cols), (float64(best/m.Cols)+0.5)/float64(m.Rows)
	return m.box[0] + across*(m.box[2]-m.box[0]), m.box[1] + down*(m.box[3]-m.box[1])
}

// Overlay returns the image with the map over it, from black where it fits least, over red and
// yellow, to white; what the model did not see is left as it is. The image is the one that the
// map was made of, or any other size of it.
func (m *Map) Overlay(img image.Image) (out *image.RGBA, err error) {
	switch {
	case m == nil || m.Rows < 1 || m.Cols < 1 || len(m.Cells) != m.Rows*m.Cols:
		return nil, errors.New("explain: the Map is empty, want one of Image")
	case img == nil:
		return nil, errors.New("explain: the image is nil")
	}
	err = guard.Call(func() error {
		seen := pillow.Stored(img)
		if m.upright {
			seen = pillow.Upright(img)
		}
		b := seen.Bounds()
		if b.Empty() || b.Dx() > pillow.DefaultMaxPixels/b.Dy() {
			return fmt.Errorf("explain: an image of %d × %d pixels, want 1 to %d", b.Dx(), b.Dy(), pillow.DefaultMaxPixels)
		}
		out = image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(out, out.Rect, seen, b.Min, draw.Src)
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.paint(out)
	return out, nil
}

func (m *Map) paint(out *image.RGBA) {
	low, high := float64(m.Cells[0]), float64(m.Cells[0])
	for _, v := range m.Cells {
		low, high = min(low, float64(v)), max(high, float64(v))
	}
	span := high - low
	if !(span > 0) {
		span = 1
	}
	size := out.Rect.Size()
	for y := range size.Y {
		v := ((float64(y)+0.5)/float64(size.Y) - m.box[1]) / (m.box[3] - m.box[1])
		for x := range size.X {
			u := ((float64(x)+0.5)/float64(size.X) - m.box[0]) / (m.box[2] - m.box[0])
			if u < 0 || u > 1 || v < 0 || v > 1 {
				continue
			}
			heat := ramp((m.at(u, v) - low) / span)
			p := out.Pix[out.PixOffset(x, y):]
			for c, h := range []uint8{heat.R, heat.G, heat.B} {
				p[c] = uint8((int(p[c]) + int(h)) / 2)
			}
			p[3] = uint8((int(p[3]) + 255) / 2)
		}
	}
}

// at is the map between the cells' centres, at a place of the part that it covers.
func (m *Map) at(u, v float64) float64 {
	col, fx := between(u, m.Cols)
	row, fy := between(v, m.Rows)
	line := func(row int) float64 {
		cells := m.Cells[row*m.Cols:][:m.Cols]
		return mix(float64(cells[col]), float64(cells[min(col+1, m.Cols-1)]), fx)
	}
	return mix(line(row), line(min(row+1, m.Rows-1)), fy)
}

func between(u float64, n int) (i int, part float64) {
	at := min(max(u*float64(n)-0.5, 0), float64(n-1))
	return int(at), at - math.Floor(at)
}

func mix(a, b, part float64) float64 { return a + float64(part*(b-a)) }

// ramp is the colour of 0 to 1.
func ramp(v float64) color.RGBA {
	third := func(i float64) uint8 { return uint8(255 * min(max(3*v-i, 0), 1)) }
	return color.RGBA{third(0), third(1), third(2), 255}
}
