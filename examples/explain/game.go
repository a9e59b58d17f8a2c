package main

import (
	"context"
	"fmt"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/sheet"
	"github.com/goclip/goclip/explain"
)

// side is that of the scenes, four times what the toy sees.
const side = 128

// play counts in how many scenes the map's peak lies in the box of the figure that the
// caption names, for both figures of each scene.
func play(ctx context.Context, model *encoder.Model, page *sheet.Sheet, scenes int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	right := map[string]int{}
	games := games()
	rows := make([]*sheet.Row, len(games))
	for i, g := range games {
		rows[i] = page.Row(g.name)
	}
	for n := range scenes {
		scene := couple(rng)
		img, err := scene.Draw(side)
		if err != nil {
			return err
		}
		captions := []string{caption(scene.Objects[0]), caption(scene.Objects[1])}
		for i, g := range games {
			for j, c := range captions {
				o := g.options
				if g.against {
					o.Against = captions
				}
				m, err := explain.Image(ctx, model, img, c, o)
				if err != nil {
					return err
				}
				hit := within(m, scene.Objects[j])
				if hit {
					right[g.name]++
				}
				if n < 4 {
					over, err := m.Overlay(img)
					if err != nil {
						return err
					}
					verdict := sheet.Wrong
					if hit {
						verdict = sheet.Right
					}
					rows[i].Add(sheet.Cell{Image: over, Note: c, Verdict: verdict})
				}
			}
		}
	}
	for _, g := range games {
		line := fmt.Sprintf("%s: %.1f %% of %d peaks are in the figure that is named", g.name, 100*float64(right[g.name])/float64(2*scenes), 2*scenes)
		fmt.Println(line)
		page.Footer(line)
	}
	return nil
}

// game is a way to make maps.
type game struct {
	name    string
	options explain.Options
	against bool // the caption of the other figure
}

func games() (all []game) {
	for _, by := range methods {
		all = append(all, game{by.String(), explain.Options{Method: by}, false},
			game{by.String() + ", against the other figure's caption", explain.Options{Method: by}, true})
	}
	return all
}

// couple is a scene of two figures of different colours and shapes, side by side or one
// above the other, each of a combination that training shows.
func couple(rng *rand.Rand) shapes.Scene {
	grey := uint8(10 + rng.IntN(40))
	if rng.IntN(2) == 0 {
		grey = 255 - grey
	}
	ground := color.NRGBA{grey, grey, grey, 255}
	s := shapes.Scene{Ground: shapes.Ground{From: ground, To: ground}}
	a := figure(rng)
	b := figure(rng)
	for a.Color == b.Color || a.Shape == b.Shape {
		b = figure(rng)
	}
	across := rng.IntN(2) == 0
	for i, o := range []shapes.Object{a, b} {
		along, aside := 0.26+0.48*float64(i), 0.3+0.4*rng.Float64()
		if o.X, o.Y = along, aside; !across {
			o.X, o.Y = aside, along
		}
		s.Objects = append(s.Objects, o)
	}
	return s
}

func figure(rng *rand.Rand) shapes.Object {
	held := shapes.Set{}.HeldOut()
	for {
		o := shapes.Object{Color: shapes.Color(rng.IntN(8)), Shape: shapes.Shape(rng.IntN(8)), Radius: 0.16 + 0.06*rng.Float64()}
		if !slices.Contains(held, name(o)) {
			return o
		}
	}
}

func name(o shapes.Object) string { return o.Color.String() + " " + o.Shape.String() }

func caption(o shapes.Object) string { return "a " + name(o) }

// within tells whether the map's peak lies in the box of a figure.
func within(m *explain.Map, o shapes.Object) bool {
	x, y := m.Peak()
	return math.Abs(x-o.X) <= o.Radius && math.Abs(y-o.Y) <= o.Radius
}
