package main

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goclip/goclip/examples/internal/exampletest"
)

// TestCouples: the figures of a scene differ in colour and shape, lie within the image and
// do not overlap, so that a peak is in one of them at most.
func TestCouples(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 1000 {
		o := couple(rng).Objects
		if o[0].Color == o[1].Color || o[0].Shape == o[1].Shape {
			t.Fatalf("a scene of %s and %s", name(o[0]), name(o[1]))
		}
		if d := max(math.Abs(o[0].X-o[1].X), math.Abs(o[0].Y-o[1].Y)); d < o[0].Radius+o[1].Radius {
			t.Fatalf("figures overlap: %+v", o)
		}
		for _, o := range o {
			if min(o.X, o.Y)-o.Radius < 0 || max(o.X, o.Y)+o.Radius > 1 {
				t.Fatalf("a figure is cut: %+v", o)
			}
		}
	}
}

func TestRun(t *testing.T) {
	ctx := context.Background()
	model, page := exampletest.Model(t, 1), filepath.Join(t.TempDir(), "sheet.png")
	said, err := exampletest.Stdout(t, func() error { return run(ctx, model, 5, page, nil) })
	exampletest.Check(t, err)
	if n := len(regexp.MustCompile(`\d+\.\d % of 10 peaks`).FindAllString(said, -1)); n != 4 {
		t.Errorf("%d results, want 4:\n%s", n, said)
	}
	exampletest.PNG(t, page)
	second := filepath.Join(t.TempDir(), "second.png")
	_, err = exampletest.Stdout(t, func() error { return run(ctx, model, 5, second, []string{page, "a sheet", "a dog"}) })
	exampletest.Check(t, err)
	exampletest.PNG(t, second)
	for want, args := range map[string][]string{"wants captions": {page}, "nowhere.png": {"nowhere.png", "a dog"}} {
		if err := run(ctx, model, 5, second, args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
