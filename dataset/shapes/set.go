// Package shapes draws images: coloured figures on a ground, with captions that
// are true of them. A [Set] is a source of such pairs for [dataset.Batches]; a
// [Scene] is one image.
package shapes

import (
	"fmt"
	"image"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/dice"
)

// Set is the library's synthetic set: coloured figures drawn by [Scene.Draw],
// described in captions such as "a small red circle on a dark ground". Sample i
// of a seed is always the same image with the same caption, on every machine.
// The zero value is ready to use.
//
// Of the 64 combinations of a [Color] and a [Shape], eight occur in no training
// image: colour number c with shape number (5c+2) mod 8. So each colour and
// each shape is missing one partner and is seen with the seven others.
// [Set.Unseen] tests on them whether a model generalises to new combinations.
type Set struct {
	Size int // side of the images in pixels, 16 to 512; 0 means 32
	Seed uint64

	// Relations is the fraction, 0 to 1, of training images that show two
	// figures, as in "a red circle above a blue square". They have no label.
	//
	// They come in groups of four, at indices 4k to 4k+3: an image, the same
	// with positions swapped, with colours swapped, and with both swapped.
	// Sizes, ground and wording are drawn anew for each; three of four captions
	// say "above" or "left of". They are hard negatives that differ in word
	// order only, so a batch should hold the four together: do not shuffle.
	Relations float64
}

// heldOut tells whether a combination is kept out of training.
func heldOut(c Color, s Shape) bool { return int(s) == (5*int(c)+2)%int(shapeCount) }

// Classes returns the names of all 64 combinations, such as "red circle".
func (Set) Classes() []string { return combinations(func(Color, Shape) bool { return true }) }

// HeldOut returns the names of the eight combinations never drawn for training.
func (Set) HeldOut() []string { return combinations(heldOut) }

func combinations(keep func(Color, Shape) bool) []string {
	var names []string
	for c := range colorCount {
		for s := range shapeCount {
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
func (Set) Templates() []string {
	var prompts []string
	for _, opening := range openings {
		prompts = append(prompts, opening+"a {}")
	}
	return prompts
}

// Train returns n training samples. Every one is drawn anew, so a long run need
// not repeat itself: take n as the number of pairs it will see.
func (s Set) Train(n int) (*dataset.Indexed, error) {
	return s.source(n, func(i int) (Scene, string, string) {
		d, four := newComposer(s.Seed, dice.Train, i), newComposer(s.Seed, dice.Four, i/4)
		d.Unit() // unused: what follows it is what a set of single figures has always been
		if four.Unit() < s.Relations {
			return d.pair(d.named(four.couple().rival(i % 4)))
		}
		return d.single(d.knownFigure())
	})
}

// Known returns n test samples of the 56 combinations that training shows, each
// in turn, in images that training does not show.
func (s Set) Known(n int) (*dataset.Indexed, error) {
	return s.test(n, dice.Known, func(c Color, f Shape) bool { return !heldOut(c, f) })
}

// Couples returns n test samples of two figures, each of a combination that
// training shows, in images that training does not show; all four relations are
// as frequent. They have no label.
func (s Set) Couples(n int) (*dataset.Indexed, error) {
	return s.source(n, func(i int) (Scene, string, string) {
		d := newComposer(s.Seed, dice.Couples, i)
		return d.pair(d.couple())
	})
}

// Unseen returns n test samples of the combinations held out of training, each
// in turn.
func (s Set) Unseen(n int) (*dataset.Indexed, error) { return s.test(n, dice.Unseen, heldOut) }

func (s Set) test(n int, use dice.Use, keep func(Color, Shape) bool) (*dataset.Indexed, error) {
	var figures []figure
	for c := range colorCount {
		for f := range shapeCount {
			if keep(c, f) {
				figures = append(figures, figure{c, f})
			}
		}
	}
	return s.source(n, func(i int) (Scene, string, string) {
		d := newComposer(s.Seed, use, i)
		return d.single(figures[i%len(figures)])
	})
}

func (s Set) source(n int, compose func(i int) (Scene, string, string)) (*dataset.Indexed, error) {
	size := s.Size
	if size == 0 {
		size = 32
	}
	switch {
	case n < 1:
		return nil, fmt.Errorf("shapes: %d samples, want 1 or more", n)
	case size < 16 || size > maxSide:
		return nil, fmt.Errorf("shapes: Size %d, want 16 to %d", s.Size, maxSide)
	case !(s.Relations >= 0 && s.Relations <= 1):
		return nil, fmt.Errorf("shapes: Relations %g, want 0 to 1", s.Relations)
	}
	return dataset.NewIndexed(n, func(i int) dataset.Sample {
		scene, caption, label := compose(i)
		return dataset.Sample{
			File:     "shapes",
			Key:      fmt.Sprintf("%08d", i),
			Captions: []string{caption},
			Label:    label,
			Decode:   func() (image.Image, error) { return scene.Draw(size) },
		}
	}), nil
}
