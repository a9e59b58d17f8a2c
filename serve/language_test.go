package serve

import (
	"context"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
)

// speaker is a model whose tokenizer is NLLB's, in a language.
func speaker(t *testing.T, language string) *encoder.Model {
	t.Helper()
	tok, err := tokenizer.LoadHuggingFace(os.DirFS(golden.Shared(t, "tokenizers", "nllb")), tokenizer.HuggingFaceOptions{Language: language})
	check(t, err)
	m, err := encoder.New(encoder.Config{Text: text.Transformer{
		ContextLength: 16, VocabSize: tok.VocabSize(), Width: 8, Layers: 1, Heads: 1, EmbedDim: 8,
		Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolLast, NormEps: 1e-5,
	}}, tok, 1)
	check(t, err)
	return m
}

// TestLanguage: a text in a language that is named has the ids of a tokenizer of that
// language; one that is not known, or not named, those of the tokenizer's own.
func TestLanguage(t *testing.T) {
	s, base := serving(t, func(o *Options) {
		o.Models = []Model{{Name: "nllb-clip-base-siglip__v1", Aliases: []string{"ViT-B-32__openai"}, Load: func(context.Context) (*encoder.Model, error) { return speaker(t, ""), nil }}}
	})
	l, release, err := s.models.use(t.Context(), "")
	check(t, err)
	defer release()
	for name, want := range map[string]string{
		"": "eng_Latn", "en": "eng_Latn", "fr": "fra_Latn", "pt-BR": "por_Latn", "pt_BR": "por_Latn", "zh-TW": "zho_Hant", "zh_SIMPLIFIED": "zho_Hans", "fa": "pes_Arab",
		"nb-NO": "nob_Latn", "sr": "srp_Cyrl", "lv": "lvs_Latn", "Klingon": "eng_Latn", "x": "eng_Latn", "de\x00": "eng_Latn", "tlh": "eng_Latn",
	} {
		got, _, err := s.prepareText(l, item{text: "un chien", language: name})
		check(t, err)
		m := speaker(t, want)
		ids := make([]int32, 16)
		_, err = m.Tokenize(ids, "un chien")
		check(t, err)
		check(t, m.Close())
		if !slices.Equal(got.ids, ids) {
			t.Errorf("%q: %d, want %d, those of %s", name, got.ids, ids, want)
		}
	}
	var german, plain struct{ Clip string }
	answered(t, base, "immich-clip-textual", &german)
	answered(t, base, "immich-clip-textual-nolang", &plain)
	if german.Clip == plain.Clip || german.Clip == "" {
		t.Error("the language of a request changes nothing")
	}
	if status, _, body := asks(t, "POST", base+"/v1/embeddings", `{"input":"un chien"}`); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}
