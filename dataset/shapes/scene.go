package shapes

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/vector"

	"github.com/goclip/goclip/internal/dice"
)

// Color is one of the eight colours of the drawn set. They lie far apart from
// each other and from every ground.
type Color uint8

// The colours. Every name begins with a consonant, so that "a {}" is English.
const (
	Red Color = iota
	Green
	Blue
	Yellow
	Purple
	Pink
	Cyan
	Brown
	colorCount
)

var colorTable = [colorCount]struct {
	name  string
	paint color.NRGBA
}{
	Red:    {"red", color.NRGBA{220, 20, 20, 255}},
	Green:  {"green", color.NRGBA{20, 150, 35, 255}},
	Blue:   {"blue", color.NRGBA{25, 60, 230, 255}},
	Yellow: {"yellow", color.NRGBA{250, 215, 0, 255}},
	Purple: {"purple", color.NRGBA{125, 25, 175, 255}},
	Pink:   {"pink", color.NRGBA{255, 110, 190, 255}},
	Cyan:   {"cyan", color.NRGBA{0, 200, 225, 255}},
	Brown:  {"brown", color.NRGBA{150, 85, 30, 255}},
}

// String returns the name as captions have it.
func (c Color) String() string {
	if c < colorCount {
		return colorTable[c].name
	}
	return fmt.Sprintf("Color(%d)", uint8(c))
}

// Paint returns the colour in sRGB.
func (c Color) Paint() color.NRGBA { return colorTable[c%colorCount].paint }

// Ground is what lies behind the objects: a plain colour, or a gradient From one
// corner or side To the opposite one, with noise over either.
type Ground struct {
	From, To color.NRGBA
	Angle    int    // direction of the gradient, in steps of 45° from "to the right"
	Noise    uint8  // grey noise of up to ± this much per pixel
	Seed     uint64 // seed of the noise
}

// Object is a coloured figure. Places and lengths are fractions of the
// image's side, from its top left corner.
type Object struct {
	Color  Color
	Shape  Shape
	X, Y   float64 // centre
	Radius float64 // half the extent of the figure; 0 < Radius ≤ 1
}

// Scene is an image in words of geometry; later objects cover earlier ones.
type Scene struct {
	Ground  Ground
	Objects []Object
}

// Draw paints the scene on a square of size × size pixels, anti-aliased. The
// pixels are the same on every architecture. Objects whose centre is farther
// than a side from the image, or whose radius is not in (0, 1], are errors.
func (s Scene) Draw(size int) (*image.RGBA, error) {
	if size < 1 || size > maxSide {
		return nil, fmt.Errorf("shapes: scene of %d pixels a side, want 1 to %d", size, maxSide)
	}
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	s.Ground.paint(img)
	var canvas vector.Rasterizer
	mask := image.NewAlpha(img.Rect)
	for i, o := range s.Objects {
		if err := o.validate(); err != nil {
			return nil, fmt.Errorf("shapes: scene: object %d: %w", i, err)
		}
		canvas.Reset(size, size)
		canvas.DrawOp = draw.Src
		o.outline(&canvas, float64(size))
		canvas.Draw(mask, mask.Rect, image.Opaque, image.Point{})
		blend(img, mask, o.Color.Paint())
	}
	return img, nil
}

// maxSide keeps the rasteriser in its integer mode, whose results do not depend
// on the architecture.
const maxSide = 512

func (o Object) validate() error {
	switch {
	case o.Color >= colorCount:
		return fmt.Errorf("no colour number %d", o.Color)
	case o.Shape >= shapeCount:
		return fmt.Errorf("no shape number %d", o.Shape)
	case !(o.X >= -1 && o.X <= 2 && o.Y >= -1 && o.Y <= 2):
		return fmt.Errorf("centre (%g, %g) is not within -1 … 2", o.X, o.Y)
	case !(o.Radius > 0 && o.Radius <= 1):
		return fmt.Errorf("radius %g is not within 0 … 1", o.Radius)
	}
	return nil
}

// blend lays paint over img where mask is, rounding to nearest.
func blend(img *image.RGBA, mask *image.Alpha, paint color.NRGBA) {
	over := func(under, paint uint8, a uint32) uint8 {
		return uint8((uint32(under)*(255-a) + uint32(paint)*a + 127) / 255)
	}
	for i, m := range mask.Pix {
		if m == 0 {
			continue
		}
		p, a := img.Pix[4*i:4*i+3:4*i+3], uint32(m)
		p[0], p[1], p[2] = over(p[0], paint.R, a), over(p[1], paint.G, a), over(p[2], paint.B, a)
	}
}

// steps are the eight directions of a gradient.
var steps = [8][2]int{{1, 0}, {1, 1}, {0, 1}, {-1, 1}, {-1, 0}, {-1, -1}, {0, -1}, {1, -1}}

func (g Ground) paint(img *image.RGBA) {
	size := img.Rect.Dx()
	step := steps[(g.Angle%8+8)%8]
	// t runs from 0 to span along the gradient.
	span := max(1, (abs(step[0])+abs(step[1]))*(size-1))
	start := (max(0, -step[0]) + max(0, -step[1])) * (size - 1)
	noise := newNoise(g)
	i := 0
	for y := range size {
		t := start + y*step[1]
		for range size {
			n := noise.next()
			img.Pix[i] = level(g.From.R, g.To.R, t, span, n)
			img.Pix[i+1] = level(g.From.G, g.To.G, t, span, n)
			img.Pix[i+2] = level(g.From.B, g.To.B, t, span, n)
			img.Pix[i+3] = 255
			i += 4
			t += step[0]
		}
	}
}

func level(from, to uint8, t, span, noise int) uint8 {
	v := int(from) + noise
	if from != to {
		v += (int(to) - int(from)) * t / span
	}
	return uint8(min(max(v, 0), 255))
}

func abs(x int) int { return max(x, -x) }

// noise cuts each number of its generator into four 16-bit draws.
type noise struct {
	dice  dice.Dice
	width int // number of levels; 1 is none
	word  uint64
	left  int
}

func newNoise(g Ground) *noise {
	return &noise{dice: dice.New(g.Seed, dice.Noise, 0), width: 2*int(g.Noise) + 1}
}

func (n *noise) next() int {
	if n.width == 1 {
		return 0
	}
	if n.left == 0 {
		n.word, n.left = n.dice.Uint64(), 4
	}
	v := int(n.word&0xffff) * n.width >> 16
	n.word >>= 16
	n.left--
	return v - n.width/2
}
