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
	model, dir := toy(t), t.TempDir()
	page := filepath.Join(dir, "sheet.png")
	said, err := quiet(t, func() error { return run(ctx, model, "", []string{"a red circle", "a star"}, 3, page) })
	check(t, err)
	if n := strings.Count(said, "\n  "); n != 2*3 {
		t.Errorf("%d hits, want three for each of two queries:\n%s", n, said)
	}
	isPNG(t, page)
	table := filepath.Join(dir, "set.csv")
	check(t, os.WriteFile(table, []byte("image,caption\nsheet.png,a sheet\ngone.png,nothing\n"), 0o666))
	stderr := os.Stderr
	os.Stderr, err = os.Create(filepath.Join(dir, "stderr"))
	check(t, err)
	said, err = quiet(t, func() error { return run(ctx, model, table, []string{"a sheet"}, 3, page) })
	os.Stderr.Close()
	os.Stderr = stderr
	check(t, err)
	if strings.Count(said, "\n  ") != 1 || !strings.Contains(said, "  sheet.png\n") {
		t.Errorf("want one hit, sheet.png, got\n%s", said)
	}
	left, err := os.ReadFile(filepath.Join(dir, "stderr"))
	check(t, err)
	if !strings.Contains(string(left), "left out: ") || !strings.Contains(string(left), "gone.png") {
		t.Errorf("standard error is %q, want gone.png left out", left)
	}
	gone := filepath.Join(dir, "gone")
	_, err = quiet(t, func() error { return run(ctx, gone, "", []string{"x"}, 3, page) })
	fails(t, gone, err)
	_, err = quiet(t, func() error { return run(ctx, model, gone, []string{"x"}, 3, page) })
	fails(t, gone, err)
}
