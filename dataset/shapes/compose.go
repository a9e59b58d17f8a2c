package shapes

import (
	"image/color"
	"strings"

	"github.com/goclip/goclip/internal/dice"
)

// composer draws what a scene shows and how its caption says it.
type composer struct{ dice.Dice }

func newComposer(seed uint64, use dice.Use, n int) composer {
	return composer{dice.New(seed, use, uint64(n))}
}

type figure struct {
	color Color
	shape Shape
}

func (d *composer) knownFigure() figure {
	for {
		f := figure{Color(d.Below(int(colorCount))), Shape(d.Below(int(shapeCount)))}
		if !heldOut(f.color, f.shape) {
			return f
		}
	}
}

// Radii that captions call by these words, as fractions of the side.
var sizes = []struct {
	names    []string
	min, max float64
}{
	{[]string{"small", "little"}, 0.15, 0.18},
	{[]string{"medium"}, 0.21, 0.24},
	{[]string{"large", "big"}, 0.28, 0.33},
}

// margin is kept free between an object and the edge.
const margin = 0.03

// single composes a scene of one figure, its caption and its label.
func (d *composer) single(f figure) (Scene, string, string) {
	size := sizes[d.Below(len(sizes))]
	radius := d.Span(size.min, size.max)
	col, row := d.Between(-1, 1), d.Between(-1, 1)
	place := func(side int) float64 {
		free := 0.5 - radius - margin
		if side == 0 {
			return 0.5 + float64(free*d.Span(-0.15, 0.15))
		}
		return 0.5 + float64(free*float64(side)*d.Span(0.75, 1))
	}
	object := Object{Color: f.color, Shape: f.shape, X: place(col), Y: place(row), Radius: radius}
	ground, groundWords := d.ground()

	words := "a "
	if d.Chance(1, 2) {
		words += size.names[d.Below(len(size.names))] + " "
	}
	words += className(f.color, f.shape)
	if d.Chance(1, 3) {
		words += " " + placeNames[row+1][col+1]
	}
	if d.Chance(1, 3) {
		words += " on a " + groundWords
	}
	return Scene{ground, []Object{object}}, d.open(words), className(f.color, f.shape)
}

var placeNames = [3][3]string{
	{"at the top left", "at the top", "at the top right"},
	{"at the left", "in the centre", "at the right"},
	{"at the bottom left", "at the bottom", "at the bottom right"},
}

// couple is two figures and the number of the relation in which the first is to
// the second.
type couple struct {
	first, second figure
	relation      int
}

// couple draws one that can exchange its colours without a combination that is
// held out.
func (d *composer) couple() couple {
	for {
		c := couple{d.knownFigure(), d.knownFigure(), d.Below(len(relations))}
		if x := c.rival(2); c.first.color != c.second.color && c.first.shape != c.second.shape &&
			!heldOut(x.first.color, x.first.shape) && !heldOut(x.second.color, x.second.shape) {
			return c
		}
	}
}

// rival exchanges the places where bit 0 of k is set, the colours where bit 1 is.
func (c couple) rival(k int) couple {
	if k&1 != 0 {
		c.relation ^= 1
	}
	if k&2 != 0 {
		c.first.color, c.second.color = c.second.color, c.first.color
	}
	return c
}

// named says half of the couples that are "below" or "right of" from the other
// figure. Were both ways of saying it as frequent, neither the order of the
// figures nor the relation's word alone would tell anything about the places, and
// a model could learn the one only when it knows the other.
func (d *composer) named(c couple) couple {
	if c.relation%2 == 1 && d.Chance(1, 2) {
		return couple{c.second, c.first, c.relation - 1}
	}
	return c
}

// pair composes a scene of two figures; it has no label.
func (d *composer) pair(c couple) (Scene, string, string) {
	relation := relations[c.relation]
	objects, words := make([]Object, 2), make([]string, 2)
	for i, f := range []figure{c.first, c.second} {
		size := sizes[d.Below(2)]
		along := d.Span(0.24, 0.26)
		if i == 1 {
			along = -along
		}
		x, y := float64(relation.dx*along), float64(relation.dy*along)
		objects[i] = Object{
			Color: f.color, Shape: f.shape, Radius: d.Span(size.min, min(size.max, 0.22)),
			X: 0.5 + x + d.Span(-0.015, 0.015), Y: 0.5 + y + d.Span(-0.015, 0.015),
		}
		words[i] = "a "
		if d.Chance(1, 4) {
			words[i] += size.names[d.Below(len(size.names))] + " "
		}
		words[i] += className(f.color, f.shape)
	}
	ground, groundWords := d.ground()
	caption := words[0] + " " + relation.name + " " + words[1]
	if d.Chance(1, 4) {
		caption += " on a " + groundWords
	}
	return Scene{ground, objects}, d.open(caption), ""
}

// relations name where the first of two figures is, seen from the second; each
// is beside its opposite.
var relations = []struct {
	name   string
	dx, dy float64
}{{"above", 0, -1}, {"below", 0, 1}, {"left of", -1, 0}, {"right of", 1, 0}}

var openings = []string{"", "a photo of ", "a picture of ", "a drawing of "}

// open begins a caption: half of them plainly, one in eight without the article.
func (d *composer) open(words string) string {
	switch d.Below(8) {
	case 0:
		return strings.TrimPrefix(words, "a ")
	case 1, 2, 3:
		return words
	}
	return openings[1+d.Below(len(openings)-1)] + words
}

// ground draws a plain, shaded or noisy ground, dark or light, nearly grey.
func (d *composer) ground() (Ground, string) {
	tone, low := "dark", 8
	if d.Chance(1, 2) {
		tone, low = "light", 198
	}
	grey := func(from, to int) color.NRGBA {
		v := low + d.Between(from, to)
		tint := func() uint8 { return uint8(v + d.Between(-6, 6)) }
		return color.NRGBA{tint(), tint(), tint(), 255}
	}
	g := Ground{From: grey(6, 42)}
	g.To = g.From
	kinds := []string{"plain ", "shaded ", "noisy "}
	kind := d.Below(len(kinds))
	switch kind {
	case 1:
		g.From, g.To, g.Angle = grey(0, 16), grey(32, 48), d.Below(len(steps))
	case 2:
		g.Noise, g.Seed = uint8(d.Between(10, 20)), d.Uint64()
	}
	names := []string{"ground", "background"}
	words := tone + " " + names[d.Below(2)]
	if d.Chance(1, 2) {
		words = kinds[kind] + words
	}
	return g, words
}
