package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/examples/internal/exampletest"
)

// folders writes n noisy images for each of four classes.
func folders(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	for name, c := range map[string]color.RGBA{"blue": {0, 0, 160, 255}, "green": {0, 160, 0, 255}, "grey": {90, 90, 90, 255}, "red": {160, 0, 0, 255}} {
		exampletest.Check(t, os.Mkdir(filepath.Join(dir, name), 0o777))
		for i := range n {
			img := image.NewRGBA(image.Rect(0, 0, 8, 8))
			for j := range 64 {
				img.SetRGBA(j%8, j/8, color.RGBA{c.R + uint8(rng.IntN(90)), c.G + uint8(rng.IntN(90)), c.B + uint8(rng.IntN(90)), 255})
			}
			f, err := os.Create(filepath.Join(dir, name, fmt.Sprintf("%03d.png", i)))
			exampletest.Check(t, err)
			exampletest.Check(t, png.Encode(f, img))
			exampletest.Check(t, f.Close())
		}
	}
	return dir
}

func wants(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)^" + p + "$").MatchString(text) {
			t.Errorf("no line like %s in\n%s", p, text)
		}
	}
}

// TestFolders holds two of four classes out of a training cut short.
func TestFolders(t *testing.T) {
	data, test, out := folders(t, poolSize+70), folders(t, 6), filepath.Join(t.TempDir(), "plot.png")
	o := options{data: data, test: test, steps: 3, draws: 2, seed: 1, out: out}
	said, err := exampletest.Stdout(t, func() error { return run(context.Background(), o) })
	exampletest.Check(t, err)
	row := `( +\d+\.\d ± *\d+\.\d){5} +[+-]\d+\.\d ± *\d+\.\d`
	wants(t, said, `which of the 2 new classes\?  .12 test images.*`, `which of all 4 classes, 2 of them new\?  .24 test images.*`,
		`zero-shot( +\d+\.\d){5} *`, "nearest mean"+row, "linear probe"+row, "Tip-Adapter "+row, "Tip-Adapter-F"+row, "plot: .*plot.png")
	exampletest.PNG(t, out)
	o.model = exampletest.Model(t, 1)
	said, err = exampletest.Stdout(t, func() error { return run(context.Background(), o) })
	exampletest.Check(t, err)
	if strings.Contains(said, "new") {
		t.Errorf("a checkpoint has classes that are new to it:\n%s", said)
	}
}

// TestNothingLeaks: training shows no held class, and the pool and the test are
// of all classes and not of training.
func TestNothingLeaks(t *testing.T) {
	all := folders(t, poolSize+5)
	fromFiles, err := files(all, folders(t, 4), "red,grey")
	exampletest.Check(t, err)
	defer fromFiles.Close()
	fromDrawn, err := drawn(2, 1)
	exampletest.Check(t, err)
	for _, s := range []*sets{fromFiles, fromDrawn} {
		seen := make(map[string]bool)
		each := func(src dataset.Source, see func(dataset.Sample)) {
			n := 0
			for sample, err := range src.Samples(context.Background(), dataset.Order{}) {
				exampletest.Check(t, err)
				see(sample)
				n++
			}
			if n == 0 || n != src.Len() {
				t.Errorf("%d samples, want some and %d", n, src.Len())
			}
		}
		each(s.train, func(p dataset.Sample) {
			seen[p.File+p.Key] = true
			if slices.Contains(s.held, p.Label) {
				t.Errorf("%s of class %s is trained on", p.Key, p.Label)
			}
		})
		for _, src := range []dataset.Source{s.pool, s.test} {
			classes := make(map[string]int)
			each(src, func(p dataset.Sample) {
				classes[p.Label]++
				if s == fromFiles && seen[p.File+p.Key] { // drawn ones have other seeds instead
					t.Errorf("%s is trained on", p.Key)
				}
			})
			if len(classes) != len(s.classes) {
				t.Errorf("%d classes, want %d", len(classes), len(s.classes))
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	few := folders(t, 3)
	for want, o := range map[string]options{
		"-draws 1":                      {draws: 1, steps: 1},
		"-steps 0":                      {draws: 2},
		"-test and -held go with -data": {draws: 2, steps: 1, held: "x"},
		"-data without -test":           {draws: 2, steps: 1, data: few},
		"no such file":                  {draws: 2, steps: 1, data: few, test: filepath.Join(few, "gone")},
		"-held pink: the classes of":    {draws: 2, steps: 1, data: few, test: few, held: "pink"},
		"-held none: the classes of":    {draws: 2, steps: 1, data: few, test: few, held: "none,red"},
		"no images to train on":         {draws: 2, steps: 1, data: few, test: few},
	} {
		exampletest.Fails(t, want, run(context.Background(), o))
	}
}
