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
)

func TestRivals(t *testing.T) {
	if got := rivals("something else"); len(got) != 0 {
		t.Errorf("rivals of a prompt without known words: %q", got)
	}
	got := rivals("a red ring left of a blue star")
	if len(got) != 4*7+3 {
		t.Errorf("%d rivals, want 7 for each of four words and 3 for the relation", len(got))
	}
	for _, want := range []string{"a pink ring left of a blue star", "a red ring above a blue star", "a red ring left of a blue circle"} {
		if !slices.Contains(got, want) {
			t.Errorf("no rival %q", want)
		}
	}
	for _, p := range twenty {
		if n := len(rivals(p)); n != 14 && n != 31 {
			t.Errorf("%q has %d rivals", p, n)
		}
		if strings.Contains(strings.Join(rivals(p), "\n"), p+"\n") {
			t.Errorf("%q is its own rival", p)
		}
	}
}

// TestSimilarityGrows: the model that draws finds its pictures closer to the
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
		margin := func(params []float64) float64 {
			e, err := model.EncodeImages(ctx, canvas{blobs: 2, side: 64, soft: sharpest}.image(params))
			exampletest.Check(t, err)
			var m float64
			for _, p := range c.Predict(e)[0] {
				if p.Index == 0 {
					m += p.Similarity
				} else {
					m -= p.Similarity
				}
			}
			return m
		}
		for i, a := range attempts {
			first, last := margin(a.frames[0]), margin(a.frames[len(a.frames)-1])
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
