package explain

import (
	"image"
	"image/color"
	"testing"

	"github.com/goclip/goclip/internal/pillow"
)

// TestOverlay: the hottest cell becomes the lightest, what the model did not see is left.
func TestOverlay(t *testing.T) {
	img := image.NewGray(image.Rect(5, 5, 45, 25))
	m := &Map{Rows: 2, Cols: 2, Cells: []float32{1, 5, 2, 1}, box: [4]float64{0.25, 0, 0.75, 1}}
	out, err := m.Overlay(img)
	check(t, err)
	if out.Rect != image.Rect(0, 0, 40, 20) {
		t.Fatalf("bounds %v", out.Rect)
	}
	for _, c := range []struct {
		x, y int
		want color.RGBA
	}{{2, 2, color.RGBA{0, 0, 0, 255}}, {38, 2, color.RGBA{0, 0, 0, 255}}, {28, 2, color.RGBA{127, 127, 127, 255}}, {11, 2, color.RGBA{0, 0, 0, 255}}} {
		if got := out.RGBAAt(c.x, c.y); got != c.want {
			t.Errorf("at %d, %d: got %v, want %v", c.x, c.y, got, c.want)
		}
	}
	if x, y := m.Peak(); x != 0.625 || y != 0.25 {
		t.Errorf("the peak is at %g, %g", x, y)
	}
}

// TestOverlayUpright: the map lies over the image that the model saw.
func TestOverlayUpright(t *testing.T) {
	turned := &pillow.Turned{Image: image.NewGray(image.Rect(0, 0, 30, 10)), Orientation: 6}
	m := &Map{Rows: 1, Cols: 1, Cells: []float32{1}, box: [4]float64{0, 0, 1, 1}}
	for upright, want := range map[bool]image.Point{false: {30, 10}, true: {10, 30}} {
		m.upright = upright
		out, err := m.Overlay(turned)
		check(t, err)
		if out.Rect.Size() != want {
			t.Errorf("upright %t: size %v, want %v", upright, out.Rect.Size(), want)
		}
	}
}

func TestBadOverlay(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 4, 4))
	good := &Map{Rows: 1, Cols: 1, Cells: []float32{1}, box: [4]float64{0, 0, 1, 1}}
	for name, try := range map[string]func() (*image.RGBA, error){
		"nil map":   func() (*image.RGBA, error) { return (*Map)(nil).Overlay(img) },
		"empty map": func() (*image.RGBA, error) { return new(Map).Overlay(img) },
		"few cells": func() (*image.RGBA, error) { return (&Map{Rows: 2, Cols: 2, Cells: []float32{1}}).Overlay(img) },
		"nil image": func() (*image.RGBA, error) { return good.Overlay(nil) },
		"no pixels": func() (*image.RGBA, error) { return good.Overlay(image.NewGray(image.Rectangle{})) },
		"panics":    func() (*image.RGBA, error) { return good.Overlay(bad{img}) },
		"huge":      func() (*image.RGBA, error) { return good.Overlay(image.NewUniform(color.White)) },
	} {
		if out, err := try(); err == nil || out != nil {
			t.Errorf("%s: got an image of %v and %v, want an error", name, out, err)
		}
	}
	if x, y := (*Map)(nil).Peak(); x != 0 || y != 0 {
		t.Error("a nil map has a peak")
	}
}
