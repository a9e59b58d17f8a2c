package index_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// model returns a small model with embeddings of dim numbers.
func model(t *testing.T, dim int) *encoder.Model {
	t.Helper()
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 2, Heads: 3, EmbedDim: dim,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 10, VocabSize: 130, Width: 8, Layers: 1, Heads: 2, EmbedDim: dim,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(16),
	}, letters.Tokenizer{}, 5)
	check(t, err)
	return m
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
		t.Errorf("got error %v, want …%s…", err, want)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	check(t, err)
	return string(data)
}

// halves are vectors of four numbers, each ½ or -½: of length one, with exact
// cosines, many of them alike.
func halves(n int) *encoder.Embeddings {
	e := &encoder.Embeddings{N: n, Dim: 4, Data: make([]float32, 4*n)}
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range e.Data {
		e.Data[i] = float32(rng.IntN(2)) - 0.5
	}
	return e
}
