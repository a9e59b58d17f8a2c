package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
)

// TestInfoOfOneTower: a model that reads no images has no preprocessing.
func TestInfoOfOneTower(t *testing.T) {
	m, err := encoder.New(encoder.Config{Text: text.Transformer{
		ContextLength: 4, VocabSize: 9, Width: 8, Layers: 1, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5,
		Mask: text.MaskCausal, Pool: text.PoolArgmax,
	}}, nil, 1)
	check(t, err)
	dir := filepath.Join(t.TempDir(), "model")
	check(t, m.Save(dir))
	if out := works(t, nil, "info", dir); !strings.Contains(out, "a model of") || strings.Contains(out, "preprocessing") {
		t.Errorf("got\n%s", out)
	}
}
