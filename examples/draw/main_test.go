package main

import (
	"context"
	"errors"
	"image/gif"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/exampletest"
	"github.com/goclip/goclip/examples/internal/prompt"
)

// TestCandidates: the judge may take an image for any single figure and for
// whatever a prompt of two could be confused with.
func TestCandidates(t *testing.T) {
	names := candidates([]string{"a red ring", "a red ring left of a blue star"})
	for _, want := range []string{"a brown diamond", "a red ring left of a blue star", "a red ring right of a blue star",
		"a blue ring left of a red star", "a red star left of a blue ring", "a blue star left of a red ring"} {
		if !slices.Contains(names, want) {
			t.Errorf("no candidate %q", want)
		}
	}
	if want := 64 + 1 + 4*7 + 3 + 3; len(names) != want {
		t.Errorf("%d candidates, want %d", len(names), want)
	}
	for _, p := range twenty {
		if n := len(prompt.Rivals(p)); n < 14 || slices.Contains(prompt.Rivals(p), p) {
			t.Errorf("%q has %d rivals, or is its own", p, n)
		}
	}
}

// TestSimilarityGrows: the model that draws finds its images closer to the
// prompt than the blobs that they began as, with rivals and without.
func TestSimilarityGrows(t *testing.T) {
	model, err := encoder.Load(exampletest.Model(t, 1), nil)
	exampletest.Check(t, err)
	ctx := context.Background()
	for _, prompts := range [][]string{{"a red circle"}, {"a red circle", "a blue star"}} {
		c, err := model.NewClassifier(ctx, prompts)
		exampletest.Check(t, err)
		attempts, err := draw(ctx, model, c.Embeddings(), 2, 2, 40, 1)
		exampletest.Check(t, err)
		similarity := func(params []float64) float64 {
			e, err := model.EncodeImages(ctx, canvas{blobs: 2, side: 64, soft: sharpest}.image(params))
			exampletest.Check(t, err)
			all := c.Predict(e)[0]
			return all[slices.IndexFunc(all, func(p encoder.Prediction) bool { return p.Index == 0 })].Similarity
		}
		for i, a := range attempts {
			first, last := similarity(a.frames[0]), similarity(a.frames[len(a.frames)-1])
			if !(last > first+0.01) {
				t.Errorf("%q, attempt %d: from %.3f to %.3f, want more", prompts, i, first, last)
			}
		}
		if attempts[0].score < attempts[1].score {
			t.Errorf("%q: the attempts are not in order", prompts)
		}
		again, err := draw(ctx, model, c.Embeddings(), 2, 2, 40, 1)
		exampletest.Check(t, err)
		if !slices.Equal(again[0].frames[10], attempts[0].frames[10]) {
			t.Error("the same seed, another picture")
		}
	}
}

func TestRun(t *testing.T) {
	ctx := context.Background()
	model, judge, out := exampletest.Model(t, 1), exampletest.Model(t, 2), filepath.Join(t.TempDir(), "out")
	o := options{model: model, judge: judge, out: out, attempts: 2, steps: 9, seed: 1}
	said, err := exampletest.Stdout(t, func() error { return run(ctx, o, []string{"a red circle", "a sea"}) })
	exampletest.Check(t, err)
	if !strings.Contains(said, " of 2 were named as their prompt by "+judge+", among 65 names\n") {
		t.Errorf("no verdict in\n%s", said)
	}
	for _, name := range []string{"sheet", "01-a-red-circle", "02-a-sea"} {
		exampletest.PNG(t, filepath.Join(out, name+".png"))
	}
	f, err := os.Open(filepath.Join(out, "02-a-sea.gif"))
	exampletest.Check(t, err)
	defer f.Close()
	film, err := gif.DecodeAll(f)
	exampletest.Check(t, err)
	if len(film.Image) != 4 { // after 0, 4 and 8 steps, and the last
		t.Errorf("%d frames, want 4", len(film.Image))
	}
	for want, spoil := range map[string]func(*options){
		"-attempts 0":              func(o *options) { o.attempts = 0 },
		"-attempts 2 and -steps 0": func(o *options) { o.steps = 0 },
		"gone":                     func(o *options) { o.model = filepath.Join(out, "gone") },
		"nobody":                   func(o *options) { o.judge = filepath.Join(out, "nobody") },
	} {
		o := o
		spoil(&o)
		exampletest.Fails(t, want, run(ctx, o, []string{"a sea"}))
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := run(done, o, []string{"a sea"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
