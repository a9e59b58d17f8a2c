package main

import (
	"io"
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

// randomModel saves a tiny model with random weights and returns its folder.
func randomModel(t *testing.T, seed uint64) string {
	t.Helper()
	tok, err := tokenizer.TrainBPE(slices.Values([]string{"a red circle", "a blue star"}), tokenizer.TrainOptions{VocabSize: 280})
	check(t, err)
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

func fails(t *testing.T, want string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %s", err, want)
	}
}

// stdout runs f and returns what it wrote to standard output.
func stdout(t *testing.T, f func() error) (string, error) {
	t.Helper()
	r, w, err := os.Pipe()
	check(t, err)
	was := os.Stdout
	os.Stdout = w
	said := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(r)
		said <- text
	}()
	failed := f()
	os.Stdout = was
	check(t, w.Close())
	return string(<-said), failed
}
