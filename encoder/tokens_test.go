package encoder_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
)

// bert is a text tower with token types and padding of its own.
func bert() text.BERT {
	return text.BERT{
		Encoder: text.Encoder{
			ContextLength: 12, VocabSize: 130, Width: 16, Layers: 2, Heads: 2, MLPWidth: 24, EmbedDim: 16, NormEps: 1e-12,
			Padding: text.PaddingTail, Pool: text.PoolMean, Head: text.HeadLinear,
		},
		Activation: nn.GELU, Positions: 12, TokenTypes: 2,
	}
}

// TestBatchInvarianceOfEncoders: captions of a tower that hides its padding have the same
// embedding alone and among others, on one core and on all.
func TestBatchInvarianceOfEncoders(t *testing.T) {
	ctx := context.Background()
	cfg := config()
	cfg.Text = bert()
	m := model(t, cfg)
	texts := captions(40)
	words, err := m.EncodeTexts(ctx, texts...)
	check(t, err)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for i := range texts {
		one, err := m.EncodeTexts(ctx, texts[i])
		check(t, err)
		same(t, fmt.Sprint("text ", i), one.Data, words.Row(i))
	}
}

// TestTokenFeatures: a mask and token types are read, where the tower has them.
func TestTokenFeatures(t *testing.T) {
	ctx := context.Background()
	cfg := config()
	cfg.Text = bert()
	m := model(t, cfg)
	row := make([]int32, 12)
	n, _ := letters.Tokenizer{}.Encode(row, "two cats")
	ids := slices.Concat(row, row)
	mask, types := make([]int32, 24), make([]int32, 24)
	for i := range n {
		mask[i], mask[12+i] = 1, 1
	}
	want, err := m.TextFeatures(ctx, ids)
	check(t, err)
	got, err := m.TokenFeatures(ctx, encoder.Tokens{IDs: ids, Mask: mask, Types: types})
	check(t, err)
	same(t, "told what is found", got.Data, want.Data)
	types[12+1] = 1
	got, err = m.TokenFeatures(ctx, encoder.Tokens{IDs: ids, Types: types})
	check(t, err)
	same(t, "the first", got.Row(0), want.Row(0))
	if slices.Equal(got.Row(1), want.Row(1)) {
		t.Error("another token type gives the same features")
	}
	mask[12+n] = 1 // a token of padding that counts
	got, err = m.TokenFeatures(ctx, encoder.Tokens{IDs: ids, Mask: mask})
	check(t, err)
	same(t, "the first", got.Row(0), want.Row(0))
	if slices.Equal(got.Row(1), want.Row(1)) {
		t.Error("another mask gives the same features")
	}

	clip := model(t, config())
	for want, told := range map[string]encoder.Tokens{
		"encoder: token types: the text tower reads none":                {IDs: row, Types: row},
		"encoder: 12 token ids, but a mask or token types for 11":        {IDs: row, Mask: row[1:]},
		"encoder: 11 token ids are not a multiple of the context length": {IDs: row[1:]},
	} {
		if _, err := clip.TokenFeatures(ctx, told); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// TestCaptionerIsKept: what of CoCa is not computed is saved as it was loaded.
func TestCaptionerIsKept(t *testing.T) {
	cfg := config()
	cfg.Text = text.CoCa{
		ContextLength: 12, VocabSize: 130, Width: 16, Layers: 1, Heads: 2, EmbedDim: 16, Activation: nn.QuickGELU, NormEps: 1e-5,
	}
	cfg.Captioner = text.Captioner{ContextLength: 12, VocabSize: 130, Width: 8, Layers: 1, Heads: 2}
	m, err := encoder.New(cfg, nil, 1)
	check(t, err)
	dir := t.TempDir()
	check(t, m.Save(filepath.Join(dir, "a")))
	again, err := encoder.Load(filepath.Join(dir, "a"), nil)
	check(t, err)
	defer again.Close()
	if again.Config().Captioner != cfg.Captioner {
		t.Errorf("the captioner is %+v, want %+v", again.Config().Captioner, cfg.Captioner)
	}
	for _, layout := range []string{encoder.OpenCLIP, encoder.Own} {
		check(t, again.SaveAs(filepath.Join(dir, layout), layout))
		third, err := encoder.Load(filepath.Join(dir, layout), nil)
		check(t, err)
		for i, p := range third.Params() {
			if want := m.Params()[i]; p.Name != want.Name || !slices.Equal(p.Data, want.Data) {
				t.Errorf("%s: %s differs from %s", layout, p.Name, want.Name)
			}
		}
		check(t, third.Close())
	}
	config, err := os.ReadFile(filepath.Join(dir, "a", "open_clip_config.json"))
	if err != nil || !strings.Contains(string(config), `"multimodal_cfg"`) {
		t.Errorf("%v: %s", err, config)
	}
}
