package shapes

import (
	"fmt"

	"golang.org/x/image/vector"
)

// Shape is one of the eight figures of the drawn set.
type Shape uint8

// The shapes. Every name begins with a consonant, so that "a {}" is English.
const (
	Circle Shape = iota
	Square
	Triangle
	Star
	Cross
	Ring
	Heart
	Diamond
	shapeCount
)

var shapeNames = [shapeCount]string{"circle", "square", "triangle", "star", "cross", "ring", "heart", "diamond"}

// String returns the name as captions have it.
func (s Shape) String() string {
	if s < shapeCount {
		return shapeNames[s]
	}
	return fmt.Sprintf("Shape(%d)", uint8(s))
}

// Corners of the figures with straight sides, in a square of -1 … 1 with y
// downwards, going clockwise. The star's are sines and cosines of multiples of
// 36°, its inner radius 0.45.
var corners = [shapeCount][][2]float64{
	Square:   {{-0.84, -0.84}, {0.84, -0.84}, {0.84, 0.84}, {-0.84, 0.84}},
	Triangle: {{0, -0.95}, {1, 0.85}, {-1, 0.85}},
	Star: {
		{0, -1}, {0.2645, -0.3641}, {0.9511, -0.3090}, {0.4280, 0.1391}, {0.5878, 0.8090},
		{0, 0.45}, {-0.5878, 0.8090}, {-0.4280, 0.1391}, {-0.9511, -0.3090}, {-0.2645, -0.3641},
	},
	Cross: {
		{-0.3, -1}, {0.3, -1}, {0.3, -0.3}, {1, -0.3}, {1, 0.3}, {0.3, 0.3},
		{0.3, 1}, {-0.3, 1}, {-0.3, 0.3}, {-1, 0.3}, {-1, -0.3}, {-0.3, -0.3},
	},
	Diamond: {{0, -1}, {0.7, 0}, {0, 1}, {-0.7, 0}},
}

// outline adds the object's path. All curves are cut into lines here, with
// products that cannot be fused: vector's own curves may round differently from
// one architecture to the next.
func (o Object) outline(z *vector.Rasterizer, side float64) {
	p := pen{z: z, x: float64(o.X * side), y: float64(o.Y * side), r: o.Radius * side}
	switch o.Shape {
	case Circle:
		p.circle(0.95, false)
	case Ring:
		p.circle(1, false)
		p.circle(0.5, true)
	case Heart:
		p.heart()
	default:
		for _, c := range corners[o.Shape] {
			p.to(c[0], c[1])
		}
		p.close()
	}
}

// pen maps the square of -1 … 1 to the object's place.
type pen struct {
	z       *vector.Rasterizer
	x, y, r float64
	open    bool
}

func (p *pen) to(x, y float64) {
	px, py := float32(p.x+float64(p.r*x)), float32(p.y+float64(p.r*y))
	if p.open {
		p.z.LineTo(px, py)
	} else {
		p.z.MoveTo(px, py)
		p.open = true
	}
}

func (p *pen) close() {
	p.z.ClosePath()
	p.open = false
}

// circle goes round in 64 lines. Its points are rational, (1-t², 2t)/(1+t²), so
// no sine is needed. The way back cuts a hole into what is there.
func (p *pen) circle(r float64, back bool) {
	const quarter = 16
	for i := range 4 * quarter {
		if back {
			i = 4*quarter - 1 - i
		}
		t := float64(i%quarter) / quarter
		x, y := r*(1-float64(t*t))/(1+float64(t*t)), r*2*t/(1+float64(t*t))
		for range i / quarter {
			x, y = -y, x
		}
		p.to(x, y)
	}
	p.close()
}

// heart is two cubic curves a side, from the notch over the lobe to the tip.
func (p *pen) heart() {
	right := [][4][2]float64{
		{{0, -0.5}, {0.15, -1.02}, {1, -1.05}, {1, -0.3}},
		{{1, -0.3}, {1, 0.25}, {0.3, 0.6}, {0, 0.95}},
	}
	for _, c := range right {
		p.cubic(c, 1)
	}
	for i := len(right) - 1; i >= 0; i-- {
		c := right[i]
		p.cubic([4][2]float64{c[3], c[2], c[1], c[0]}, -1)
	}
	p.close()
}

// cubic goes along a Bézier curve with x mirrored by sign.
func (p *pen) cubic(c [4][2]float64, sign float64) {
	const pieces = 12
	for i := range pieces {
		t := float64(i) / pieces
		s := 1 - t
		weights := [4]float64{s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t}
		var x, y float64
		for k, w := range weights {
			x += float64(w * c[k][0])
			y += float64(w * c[k][1])
		}
		p.to(sign*x, y)
	}
}
