package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/examples/internal/exampletest"
)

// TestOneIsRight: of the candidates of a trial one has the right figure, in a
// place that changes, and the trials ask for every known combination.
func TestOneIsRight(t *testing.T) {
	set, err := shapes.Set{Seed: 17}.Known(trials * stride)
	exampletest.Check(t, err)
	asked := map[string]bool{}
	for trial := range trials {
		pairs, err := draw(set, trial)
		exampletest.Check(t, err)
		if len(pairs) != candidates {
			t.Fatalf("trial %d has %d candidates, want %d", trial, len(pairs), candidates)
		}
		right := pairs[trial].Label
		asked[right] = true
		for i, p := range pairs {
			if (p.Label == right) != (i == trial) {
				t.Errorf("trial %d: candidate %d is a %s, the right one, %d, a %s", trial, i, p.Label, trial, right)
			}
		}
		if !strings.Contains(pairs[trial].Caption, right) {
			t.Errorf("trial %d: %q does not name a %s", trial, pairs[trial].Caption, right)
		}
	}
	if len(asked) != 56 {
		t.Errorf("the prompts ask for %d combinations, want 56", len(asked))
	}
}

func TestRun(t *testing.T) {
	ctx := context.Background()
	model, dir := exampletest.Model(t, 1), t.TempDir()
	page := filepath.Join(dir, "sheet.png")
	said, err := exampletest.Stdout(t, func() error { return run(ctx, model, "", page, nil) })
	exampletest.Check(t, err)
	for _, want := range []string{`right image is first of 100 for \d+ of 100 prompts`, `right caption is first of 100 for \d+ of 100 images`} {
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("output is\n%s\nwant %s", said, want)
		}
	}
	exampletest.PNG(t, page)
	second := filepath.Join(dir, "second.png")
	said, err = exampletest.Stdout(t, func() error { return run(ctx, model, "", second, []string{"a sheet", page, page}) })
	exampletest.Check(t, err)
	if n := strings.Count(said, "  "+page); n != 2 {
		t.Errorf("two images, %d lines:\n%s", n, said)
	}
	exampletest.PNG(t, second)
	exampletest.Check(t, os.Remove(second))
	said, err = exampletest.Stdout(t, func() error { return run(ctx, model, page, second, []string{"a cat", "a dog"}) })
	exampletest.Check(t, err)
	if !strings.Contains(said, "  a cat\n") || !strings.Contains(said, "  a dog\n") {
		t.Errorf("two captions, got\n%s", said)
	}
	exampletest.PNG(t, second)
}

func TestRefuses(t *testing.T) {
	ctx := context.Background()
	model, gone := exampletest.Model(t, 1), filepath.Join(t.TempDir(), "gone")
	exampletest.Fails(t, gone, run(ctx, gone, "", "", nil))
	exampletest.Fails(t, gone, run(ctx, model, "", "", []string{"a", gone}))
	exampletest.Fails(t, gone, run(ctx, model, gone, "", []string{"a"}))
	exampletest.Fails(t, "-image wants captions", run(ctx, model, gone, "", nil))
	exampletest.Fails(t, `prompt "a cat" wants images`, run(ctx, model, "", "", []string{"a cat"}))
}
