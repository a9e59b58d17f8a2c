// Package exampletest is what the tests of several examples need: a model that
// has learnt nothing, and a look at what a program wrote.
package exampletest

import (
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Model saves a tiny model with random weights and returns its folder.
func Model(t *testing.T, seed uint64) string {
	t.Helper()
	tok, err := tokenizer.TrainBPE(slices.Values([]string{"a red circle", "a blue star"}), tokenizer.TrainOptions{VocabSize: 280})
	Check(t, err)
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 8, Layers: 1, Heads: 1, EmbedDim: 8,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 16, VocabSize: tok.VocabSize(), Width: 8, Layers: 1, Heads: 1, EmbedDim: 8,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(16),
	}, tok, seed)
	Check(t, err)
	dir := filepath.Join(t.TempDir(), "toy")
	Check(t, m.Save(dir))
	return dir
}

// Check ends the test on an error.
func Check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Fails reports anything but an error that says want.
func Fails(t *testing.T, want string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %s", err, want)
	}
}

// Stdout runs f and returns what it wrote to standard output.
func Stdout(t *testing.T, f func() error) (string, error) {
	t.Helper()
	return captured(t, &os.Stdout, f)
}

// Stderr is [Stdout] of standard error.
func Stderr(t *testing.T, f func() error) (string, error) {
	t.Helper()
	return captured(t, &os.Stderr, f)
}

func captured(t *testing.T, stream **os.File, f func() error) (string, error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	Check(t, err)
	defer file.Close()
	was := *stream
	*stream = file
	defer func() { *stream = was }()
	failed := f()
	said, err := os.ReadFile(file.Name())
	Check(t, err)
	return string(said), failed
}

// PNG ends the test unless path is an image.
func PNG(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	Check(t, err)
	defer f.Close()
	_, err = png.Decode(f)
	Check(t, err)
}
