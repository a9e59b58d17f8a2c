package main

import (
	"context"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// toy saves a model that has learnt nothing.
func toy(t *testing.T) string {
	t.Helper()
	tok, err := text.TrainBPE(slices.Values([]string{"a red circle", "a blue star"}), text.TrainOptions{VocabSize: 280})
	check(t, err)
	m, err := encoder.New(encoder.Config{
		Vision: vision.Config{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 8, Layers: 1, Heads: 1, EmbedDim: 8,
			Activation: "gelu", Pool: "tok", NormEps: 1e-5,
		},
		Text: text.Config{
			ContextLength: 16, VocabSize: tok.VocabSize(), Width: 8, Layers: 1, Heads: 1, EmbedDim: 8,
			Activation: "gelu", Mask: "causal", Pool: "argmax", NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(16),
	}, tok, 1)
	check(t, err)
	dir := filepath.Join(t.TempDir(), "toy")
	check(t, m.Save(dir))
	return dir
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quiet runs f and returns what it wrote to standard output.
func quiet(t *testing.T, f func() error) (string, error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	check(t, err)
	defer file.Close()
	stdout := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = stdout }()
	failed := f()
	said, err := os.ReadFile(file.Name())
	check(t, err)
	return string(said), failed
}

func isPNG(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	check(t, err)
	defer f.Close()
	_, err = png.Decode(f)
	check(t, err)
}

func fails(t *testing.T, want string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %s", err, want)
	}
}

func TestRun(t *testing.T) {
	ctx := context.Background()
	model, page := toy(t), filepath.Join(t.TempDir(), "sheet.png")
	said, err := quiet(t, func() error { return run(ctx, model, "a {}", page, "", nil) })
	check(t, err)
	if n := strings.Count(said, " %  "); n != 12*3 {
		t.Errorf("%d lines of predictions, want three for each of 12 drawn pictures:\n%s", n, said)
	}
	isPNG(t, page)
	args := []string{"cat,dog", page, page}
	said, err = quiet(t, func() error { return run(ctx, model, "a {}", page+"2", args[0], args) })
	check(t, err)
	if strings.Count(said, "cat\n") != 2 || strings.Count(said, "dog\n") != 2 {
		t.Errorf("want cat and dog for two pictures, got\n%s", said)
	}
	isPNG(t, page+"2")
	gone := filepath.Join(t.TempDir(), "gone")
	_, err = quiet(t, func() error { return run(ctx, gone, "a {}", page, "", nil) })
	fails(t, gone, err)
	_, err = quiet(t, func() error { return run(ctx, model, "a {}", page, "cat", []string{"cat", gone}) })
	fails(t, gone, err)
	_, err = quiet(t, func() error { return run(ctx, model, "a photo", page, "", nil) })
	fails(t, `template "a photo" has no {}`, err)
}
