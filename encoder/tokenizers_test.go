package encoder_test

import (
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

// sigLIP is a small model with SigLIP's towers and a vocabulary.
func sigLIP(t *testing.T, vocab int, tok tokenizer.Tokenizer) *encoder.Model {
	t.Helper()
	bias := -10.0
	m, err := encoder.New(encoder.Config{
		Vision: vision.SigLIP{ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 1, Heads: 2, Activation: nn.GELUTanh, NormEps: 1e-6},
		Text: text.Transformer{
			ContextLength: 16, VocabSize: vocab, Width: 12, Layers: 1, Heads: 2, EmbedDim: 12, MLPRatio: 4,
			Activation: nn.GELUTanh, NormEps: 1e-6, Mask: text.MaskNone, Pool: text.PoolLast, Proj: text.ProjLinear,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{16, 16}, Resize: vision.ResizeSquash, Interpolation: vision.Bilinear,
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5},
		},
		LogitScale: 2.3, LogitBias: &bias,
	}, tok, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTokenizersOfLayouts: a model's folder decides which program's ids captions get, and
// a saved model has the same ones again, or is refused.
func TestTokenizersOfLayouts(t *testing.T) {
	const caption = "A_cat... ΟΔΟΣ &amp; two  dogs </s> x"
	model, err := os.ReadFile(filepath.Join("..", "tokenizer", "testdata", "sentencepiece", "unigram.model"))
	if err != nil {
		t.Fatal(err)
	}
	siglip, err := tokenizer.NewSiglip(model)
	if err != nil {
		t.Fatal(err)
	}
	ids := func(tok tokenizer.Tokenizer) []int32 {
		t.Helper()
		if tok == nil {
			t.Fatal("there is no tokenizer")
		}
		dst := make([]int32, 16)
		tok.Encode(dst, caption)
		return dst
	}
	same := func(what string, tok tokenizer.Tokenizer, want []int32) {
		t.Helper()
		if got := ids(tok); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	load := func(dir string) *encoder.Model {
		t.Helper()
		m, err := encoder.Load(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		return m
	}
	write := func(dir, name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	vocab := siglip.VocabSize()

	// transformers reads SigLIP's spiece.model by a class of its own.
	dir := t.TempDir()
	if err := sigLIP(t, vocab, nil).SaveAs(dir, encoder.HuggingFace); err != nil {
		t.Fatal(err)
	}
	write(dir, "spiece.model", string(model))
	m := load(dir)
	same("transformers", m.Tokenizer(), ids(siglip))
	if err := m.SaveAs(t.TempDir(), encoder.OpenCLIP); err == nil || !strings.Contains(err.Error(), "the tokenizer as transformers uses it") {
		t.Errorf("as open_clip: %v, want an error about the tokenizer", err)
	}
	for _, layout := range []string{encoder.HuggingFace, encoder.Own, ""} {
		again := t.TempDir()
		if layout == "" {
			err = m.Save(again)
		} else {
			err = m.SaveAs(again, layout)
		}
		if err != nil {
			t.Fatal(err)
		}
		same("saved as "+layout, load(again).Tokenizer(), ids(siglip))
	}

	// open_clip reads the same file for the tokenizers library, and cleans captions.
	dir = t.TempDir()
	if err := sigLIP(t, vocab+100, nil).SaveAs(dir, encoder.OpenCLIP); err != nil {
		t.Fatal(err)
	}
	write(dir, "spiece.model", string(model))
	config, err := os.ReadFile(filepath.Join(dir, "open_clip_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(dir, "open_clip_config.json", strings.Replace(string(config), `"text_cfg": {`,
		`"text_cfg": {"hf_tokenizer_name": "timm/small", "tokenizer_kwargs": {"clean": "canonicalize"},`, 1))
	edited, err := encoder.Load(dir, &encoder.Options{Edited: true})
	if err != nil {
		t.Fatal(err)
	}
	defer edited.Close()
	canonical, err := tokenizer.LoadHuggingFace(os.DirFS(dir), tokenizer.HuggingFaceOptions{Clean: tokenizer.CleanCanonicalize})
	if err != nil {
		t.Fatal(err)
	}
	same("open_clip", edited.Tokenizer(), ids(canonical))
	if slices.Equal(ids(canonical), ids(siglip)) {
		t.Error("both programs give the same ids of the caption, which shows nothing")
	}
	for _, layout := range []string{encoder.OpenCLIP, encoder.Own} {
		again := t.TempDir()
		if err := edited.SaveAs(again, layout); err != nil {
			t.Fatal(err)
		}
		same("saved as "+layout, load(again).Tokenizer(), ids(canonical))
	}
	if err := edited.SaveAs(t.TempDir(), encoder.HuggingFace); err == nil || !strings.Contains(err.Error(), "canonicalize") {
		t.Errorf("as transformers: %v, want an error about the cleaning", err)
	}

	// A file that is not what was loaded is not saved.
	write(dir, "spiece.model", "another")
	if err := edited.SaveAs(t.TempDir(), encoder.Own); err == nil || !strings.Contains(err.Error(), "spiece.model") {
		t.Errorf("with another spiece.model: %v, want an error that names it", err)
	}
}
