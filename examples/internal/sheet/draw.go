package sheet

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/vector"
)

var (
	paper  = color.RGBA{255, 255, 255, 255}
	ink    = color.RGBA{28, 32, 38, 255}
	faint  = color.RGBA{92, 99, 110, 255}
	rule   = color.RGBA{214, 218, 224, 255}
	ground = color.RGBA{241, 243, 245, 255} // behind images, and a bar's track
	green  = color.RGBA{30, 142, 82, 255}
	red    = color.RGBA{206, 52, 52, 255}
	slate  = color.RGBA{118, 139, 173, 255}
)

func (v Verdict) color() color.RGBA {
	switch v {
	case Right:
		return green
	case Wrong:
		return red
	}
	return rule
}

// drawPicture fills dst with a cell's frame, image and mark.
func drawImage(dst *image.RGBA, c *Cell) {
	inner := dst.Rect.Inset(border)
	paint(dst, image.NewUniform(c.Verdict.color()), roundRect(dst.Rect, 6))
	if c.Verdict == Unjudged { // a hairline
		paint(dst, image.NewUniform(paper), roundRect(dst.Rect.Inset(1), 5))
	}
	box := image.NewRGBA(inner)
	fill(box, inner, ground)
	drawScaled(box, c)
	paint(dst, box, roundRect(inner, 3))
	if c.Verdict != Unjudged {
		drawMark(dst, c.Verdict)
	}
}

// drawScaled puts a cell's image into the middle of dst, as large as fits: by a
// whole factor if it is small, and smoothly otherwise.
func drawScaled(dst *image.RGBA, c *Cell) {
	size, ok := c.size()
	if !ok {
		drawMissing(dst)
		return
	}
	side := dst.Rect.Dx()
	longest := max(size.X, size.Y)
	scaler := draw.Interpolator(draw.CatmullRom)
	to := image.Pt(
		max(1, int(math.Round(float64(size.X)*float64(side)/float64(longest)))),
		max(1, int(math.Round(float64(size.Y)*float64(side)/float64(longest)))),
	)
	switch {
	case longest <= small:
		scaler, to = draw.NearestNeighbor, size.Mul(side/longest)
	case size.X > 1<<12 || size.Y > 1<<12:
		scaler = draw.ApproxBiLinear // reads a few pixels for each it writes
	}
	min := dst.Rect.Min.Add(image.Pt(side-to.X, side-to.Y).Div(2))
	r := image.Rectangle{Min: min, Max: min.Add(to)}
	fill(dst, r, paper) // for what is transparent
	scaler.Scale(dst, r, c.Image, c.Image.Bounds(), draw.Over, nil)
}

// drawMissing crosses out a box.
func drawMissing(dst *image.RGBA) {
	b := dst.Rect
	x0, y0, x1, y1 := float32(b.Min.X), float32(b.Min.Y), float32(b.Max.X), float32(b.Max.Y)
	paint(dst, image.NewUniform(rule), stroke(1, x0, y0, x1, y1))
	paint(dst, image.NewUniform(rule), stroke(1, x0, y1, x1, y0))
}

// drawMark draws a tick or a cross on a disc in the upper right corner.
func drawMark(dst *image.RGBA, v Verdict) {
	const radius = 12
	at := image.Pt(dst.Rect.Max.X-radius-1, dst.Rect.Min.Y+radius+1)
	disc := image.Rectangle{Min: at, Max: at}.Inset(-radius)
	paint(dst, image.NewUniform(paper), roundRect(disc.Inset(-1), radius+1))
	paint(dst, image.NewUniform(v.color()), roundRect(disc, radius))
	x, y := float32(at.X), float32(at.Y)
	white := image.NewUniform(paper)
	if v == Right {
		paint(dst, white, stroke(2.6, x-5.5, y+0.5, x-1.6, y+4.4, x+5.6, y-4))
		return
	}
	paint(dst, white, stroke(2.6, x-4.2, y-4.2, x+4.2, y+4.2))
	paint(dst, white, stroke(2.6, x-4.2, y+4.2, x+4.2, y-4.2))
}

// drawBar fills dst with the i-th bar of a cell. The true label is green, a wrong
// prediction red.
func drawBar(dst *image.RGBA, c *Cell, i int) {
	b := &c.Bars[i]
	col := slate
	switch {
	case b.True:
		col = green
	case i == 0 && c.Verdict == Wrong:
		col = red
	}
	paint(dst, image.NewUniform(ground), roundRect(dst.Rect, barHeight/2.0))
	if !(b.Value > 0) {
		return
	}
	r := dst.Rect
	r.Max.X = r.Min.X + int(math.Round(math.Min(b.Value, 1)*float64(r.Dx())))
	paint(dst.SubImage(r).(*image.RGBA), image.NewUniform(col), roundRect(dst.Rect, barHeight/2.0))
}

func fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// A path adds closed outlines to a rasterizer, in pixels of the sheet moved by
// (-dx, -dy).
type path func(z *vector.Rasterizer, dx, dy float32)

// paint draws src through a path with smooth edges. Points of src and dst agree.
func paint(dst *image.RGBA, src image.Image, p path) {
	r := dst.Rect
	if r.Empty() {
		return
	}
	z := vector.NewRasterizer(r.Dx(), r.Dy())
	p(z, float32(r.Min.X), float32(r.Min.Y))
	z.Draw(dst, r, src, r.Min)
}

// roundRect is a rectangle whose corners are quarter circles.
func roundRect(r image.Rectangle, radius float32) path {
	const k = 0.5522848 // a cubic curve's handle for a quarter circle
	return func(z *vector.Rasterizer, dx, dy float32) {
		x0, y0 := float32(r.Min.X)-dx, float32(r.Min.Y)-dy
		x1, y1 := float32(r.Max.X)-dx, float32(r.Max.Y)-dy
		a, h := radius, radius*(1-k)
		z.MoveTo(x0+a, y0)
		z.LineTo(x1-a, y0)
		z.CubeTo(x1-h, y0, x1, y0+h, x1, y0+a)
		z.LineTo(x1, y1-a)
		z.CubeTo(x1, y1-h, x1-h, y1, x1-a, y1)
		z.LineTo(x0+a, y1)
		z.CubeTo(x0+h, y1, x0, y1-h, x0, y1-a)
		z.LineTo(x0, y0+a)
		z.CubeTo(x0, y0+h, x0+h, y0, x0+a, y0)
		z.ClosePath()
	}
}

// stroke is a line of some width through points x, y, x, y, …; each segment is
// lengthened by half the width, so that corners close.
func stroke(width float32, xy ...float32) path {
	return func(z *vector.Rasterizer, dx, dy float32) {
		for i := 0; i+3 < len(xy); i += 2 {
			x0, y0, x1, y1 := xy[i]-dx, xy[i+1]-dy, xy[i+2]-dx, xy[i+3]-dy
			length := float32(math.Hypot(float64(x1-x0), float64(y1-y0)))
			u, v := (x1-x0)/length*width/2, (y1-y0)/length*width/2
			x0, y0, x1, y1 = x0-u, y0-v, x1+u, y1+v
			z.MoveTo(x0-v, y0+u)
			z.LineTo(x1-v, y1+u)
			z.LineTo(x1+v, y1-u)
			z.LineTo(x0+v, y0-u)
			z.ClosePath()
		}
	}
}
