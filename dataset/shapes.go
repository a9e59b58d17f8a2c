package dataset

import (
	"fmt"
	"image"
	"image/color"
	"strings"
)

// Shapes is the set that comes with the library: coloured figures drawn by
// [Scene.Draw], described in captions such as "a small red circle on a dark
// ground". Sample i of a seed is always the same picture with the same caption,
// on every machine. The zero value is ready to use.
//
// Of the 64 combinations of a [Color] and a [Shape], eight occur in no training
// picture: colour number c with shape number (5c+2) mod 8. So each colour and
// each shape is missing one partner and is seen with the seven others.
// [Shapes.Unseen] tests on them whether a model has learnt to compose.
type Shapes struct {
	Size int // side of the pictures in pixels, 16 to 512; 0 means 32
	Seed uint64

	// Relations is the fraction of training pictures that show two figures, as
	// in "a red circle above a blue square"; 0 to 1. They have no label.
	//
	// Such pictures come in fours, at 4k to 4k+3: one, the same with places
	// exchanged, with colours exchanged, and with both. Sizes, ground and words
	// are drawn anew for each; three captions of four say "above" or "left of".
	// Only next to the others does a caption's order of words count, so a batch
	// should hold them together: do not shuffle.
	Relations float64
}

// heldOut tells whether a combination is kept out of training.
func heldOut(c Color, s Shape) bool { return int(s) == (5*int(c)+2)%int(shapes) }

// Classes returns the names of all 64 combinations, such as "red circle".
func (Shapes) Classes() []string { return combinations(func(Color, Shape) bool { return true }) }

// HeldOut returns the names of the eight combinations never drawn for training.
func (Shapes) HeldOut() []string { return combinations(heldOut) }

func combinations(keep func(Color, Shape) bool) []string {
	var names []string
	for c := range colors {
		for s := range shapes {
			if keep(c, s) {
				names = append(names, className(c, s))
			}
		}
	}
	return names
}

func className(c Color, s Shape) string { return c.String() + " " + s.String() }

// Templates returns prompts for zero-shot classification; {} stands for the
// name of a class.
func (Shapes) Templates() []string {
	var prompts []string
	for _, opening := range openings {
		prompts = append(prompts, opening+"a {}")
	}
	return prompts
}

// Train returns n training samples. Every one is drawn anew, so a long run need
// not repeat itself: take n as the number of pairs it will see.
func (s Shapes) Train(n int) (*Indexed, error) {
	return s.source(n, func(i int) (Scene, string, string) {
		d, four := newDice(s.Seed, saltTrain, uint64(i)), newDice(s.Seed, saltFour, uint64(i/4))
		d.unit() // unused: what follows it is what a set of single figures has always been
		if four.unit() < s.Relations {
			return d.pair(d.named(four.couple().rival(i % 4)))
		}
		return d.single(d.knownFigure())
	})
}

// Known returns n test samples of the 56 combinations that training shows, each
// in turn, in pictures that training does not show.
func (s Shapes) Known(n int) (*Indexed, error) {
	return s.test(n, saltKnown, func(c Color, f Shape) bool { return !heldOut(c, f) })
}

// Couples returns n test samples of two figures, each of a combination that
// training shows, in pictures that training does not show; all four relations are
// as frequent. They have no label.
func (s Shapes) Couples(n int) (*Indexed, error) {
	return s.source(n, func(i int) (Scene, string, string) {
		d := newDice(s.Seed, saltCouples, uint64(i))
		return d.pair(d.couple())
	})
}

// Unseen returns n test samples of the combinations held out of training, each
// in turn.
func (s Shapes) Unseen(n int) (*Indexed, error) { return s.test(n, saltUnseen, heldOut) }

func (s Shapes) test(n int, salt uint64, keep func(Color, Shape) bool) (*Indexed, error) {
	var figures []figure
	for c := range colors {
		for f := range shapes {
			if keep(c, f) {
				figures = append(figures, figure{c, f})
			}
		}
	}
	return s.source(n, func(i int) (Scene, string, string) {
		d := newDice(s.Seed, salt, uint64(i))
		return d.single(figures[i%len(figures)])
	})
}

func (s Shapes) source(n int, compose func(i int) (Scene, string, string)) (*Indexed, error) {
	size := s.Size
	if size == 0 {
		size = 32
	}
	switch {
	case n < 1:
		return nil, fmt.Errorf("dataset: shapes: %d samples, want 1 or more", n)
	case size < 16 || size > maxSide:
		return nil, fmt.Errorf("dataset: shapes: Size %d, want 16 to %d", s.Size, maxSide)
	case !(s.Relations >= 0 && s.Relations <= 1):
		return nil, fmt.Errorf("dataset: shapes: Relations %g, want 0 to 1", s.Relations)
	}
	return NewIndexed(n, func(i int) Sample {
		scene, caption, label := compose(i)
		return Sample{
			File:     "shapes",
			Key:      fmt.Sprintf("%08d", i),
			Captions: []string{caption},
			Label:    label,
			Decode:   func() (image.Image, error) { return scene.Draw(size) },
		}
	}), nil
}

type figure struct {
	color Color
	shape Shape
}

func (d *dice) knownFigure() figure {
	for {
		f := figure{Color(d.below(int(colors))), Shape(d.below(int(shapes)))}
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
func (d *dice) single(f figure) (Scene, string, string) {
	size := sizes[d.below(len(sizes))]
	radius := d.span(size.min, size.max)
	col, row := d.between(-1, 1), d.between(-1, 1)
	place := func(side int) float64 {
		free := 0.5 - radius - margin
		if side == 0 {
			return 0.5 + float64(free*d.span(-0.15, 0.15))
		}
		return 0.5 + float64(free*float64(side)*d.span(0.75, 1))
	}
	object := Object{Color: f.color, Shape: f.shape, X: place(col), Y: place(row), Radius: radius}
	ground, groundWords := d.ground()

	words := "a "
	if d.chance(1, 2) {
		words += size.names[d.below(len(size.names))] + " "
	}
	words += className(f.color, f.shape)
	if d.chance(1, 3) {
		words += " " + placeNames[row+1][col+1]
	}
	if d.chance(1, 3) {
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
func (d *dice) couple() couple {
	for {
		c := couple{d.knownFigure(), d.knownFigure(), d.below(len(relations))}
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
func (d *dice) named(c couple) couple {
	if c.relation%2 == 1 && d.chance(1, 2) {
		return couple{c.second, c.first, c.relation - 1}
	}
	return c
}

// pair composes a scene of two figures; it has no label.
func (d *dice) pair(c couple) (Scene, string, string) {
	relation := relations[c.relation]
	objects, words := make([]Object, 2), make([]string, 2)
	for i, f := range []figure{c.first, c.second} {
		size := sizes[d.below(2)]
		along := d.span(0.24, 0.26)
		if i == 1 {
			along = -along
		}
		x, y := float64(relation.dx*along), float64(relation.dy*along)
		objects[i] = Object{
			Color: f.color, Shape: f.shape, Radius: d.span(size.min, min(size.max, 0.22)),
			X: 0.5 + x + d.span(-0.015, 0.015), Y: 0.5 + y + d.span(-0.015, 0.015),
		}
		words[i] = "a "
		if d.chance(1, 4) {
			words[i] += size.names[d.below(len(size.names))] + " "
		}
		words[i] += className(f.color, f.shape)
	}
	ground, groundWords := d.ground()
	caption := words[0] + " " + relation.name + " " + words[1]
	if d.chance(1, 4) {
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
func (d *dice) open(words string) string {
	switch d.below(8) {
	case 0:
		return strings.TrimPrefix(words, "a ")
	case 1, 2, 3:
		return words
	}
	return openings[1+d.below(len(openings)-1)] + words
}

// ground draws a plain, shaded or noisy ground, dark or light, nearly grey.
func (d *dice) ground() (Ground, string) {
	tone, low := "dark", 8
	if d.chance(1, 2) {
		tone, low = "light", 198
	}
	grey := func(from, to int) color.NRGBA {
		v := low + d.between(from, to)
		tint := func() uint8 { return uint8(v + d.between(-6, 6)) }
		return color.NRGBA{tint(), tint(), tint(), 255}
	}
	g := Ground{From: grey(6, 42)}
	g.To = g.From
	kinds := []string{"plain ", "shaded ", "noisy "}
	kind := d.below(len(kinds))
	switch kind {
	case 1:
		g.From, g.To, g.Angle = grey(0, 16), grey(32, 48), d.below(len(steps))
	case 2:
		g.Noise, g.Seed = uint8(d.between(10, 20)), d.pcg.Uint64()
	}
	names := []string{"ground", "background"}
	words := tone + " " + names[d.below(2)]
	if d.chance(1, 2) {
		words = kinds[kind] + words
	}
	return g, words
}
