package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/output"
)

// words is a tokenizer.json of whole words, whose ids are their places, and special tokens.
func words(kind, unknown string, names ...string) *fstest.MapFile {
	var vocab, added []string
	for i, name := range names {
		vocab = append(vocab, fmt.Sprintf("%q: %d", name, i))
		if strings.ContainsAny(name, "<[_") {
			added = append(added, fmt.Sprintf(`{"id": %d, "content": %q, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}`, i, name))
		}
	}
	more := ""
	if kind == "WordPiece" {
		more = `, "continuing_subword_prefix": "##", "max_input_chars_per_word": 9`
	}
	normalizer := `{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}`
	return file(fmt.Sprintf(`{"version": "1.0", "added_tokens": [%s], "normalizer": %s, "pre_tokenizer": {"type": "BertPreTokenizer"},
		"model": {"type": %q, "vocab": {%s}, "unk_token": %q%s}}`, strings.Join(added, ","), normalizer, kind, strings.Join(vocab, ","), unknown, more))
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

// TestClasses: what a class, its configuration and the options make of one tokenizer.json.
func TestClasses(t *testing.T) {
	vocab := words("WordLevel", "<unk>", "<unk>", "<pad>", "<bos>", "<eos>", "</s>", "[PAD]", "eng_Latn", "fra_Latn", "cat", "Cat", "é", "e")
	const unk, pad, bos, eos, end, brackets, eng, fra, cat, capital, acute, e = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	for _, c := range []struct {
		config, special string
		o               HuggingFaceOptions
		text            string
		want            []int32
	}{
		{`{}`, ``, HuggingFaceOptions{}, "Cat é", []int32{cat, e, pad, pad}},
		{`{"pad_token": "[PAD]"}`, ``, HuggingFaceOptions{}, "cat", []int32{cat, brackets, brackets, brackets}},
		{`{"pad_token": {"content": "[PAD]", "lstrip": false}}`, ``, HuggingFaceOptions{}, "cat", []int32{cat, brackets, brackets, brackets}},
		{`{}`, `{"pad_token": "<eos>"}`, HuggingFaceOptions{}, "cat", []int32{cat, eos, eos, eos}},
		{`{"added_tokens_decoder": {}, "pad_token": "<pad>"}`, `{"pad_token": "<eos>"}`, HuggingFaceOptions{}, "cat", []int32{cat, pad, pad, pad}},
		{`{"tokenizer_class": "BertTokenizerFast", "do_lower_case": false}`, ``, HuggingFaceOptions{}, "Cat é", []int32{capital, acute, pad, pad}},
		{`{"tokenizer_class": "DistilBertTokenizer", "do_lower_case": false, "strip_accents": true}`, ``, HuggingFaceOptions{}, "Cat é", []int32{capital, e, pad, pad}},
		{`{"tokenizer_class": "GemmaTokenizer"}`, ``, HuggingFaceOptions{}, "cat", []int32{bos, cat, pad, pad}},
		{`{"tokenizer_class": "GemmaTokenizer", "add_bos_token": false, "add_eos_token": true}`, ``, HuggingFaceOptions{}, "cat", []int32{cat, eos, pad, pad}},
		{`{"tokenizer_class": "GemmaTokenizer"}`, ``, HuggingFaceOptions{Class: ClassSiglip2}, "cat", []int32{cat, eos, pad, pad}},
		{`{"tokenizer_class": "NllbTokenizer"}`, ``, HuggingFaceOptions{}, "cat", []int32{eng, cat, end, pad}},
		{`{"tokenizer_class": "NllbTokenizer", "src_lang": "fra_Latn"}`, ``, HuggingFaceOptions{}, "cat", []int32{fra, cat, end, pad}},
		{`{"tokenizer_class": "NllbTokenizer"}`, ``, HuggingFaceOptions{Language: "fra_Latn"}, "cat cat cat", []int32{fra, cat, cat, end}},
		{`{"tokenizer_class": "NllbTokenizer"}`, ``, HuggingFaceOptions{LanguageLast: true}, "cat", []int32{cat, end, eng, pad}},
		{`{"sep_token": "</s>"}`, ``, HuggingFaceOptions{StripSeparator: true}, "cat </s> cat", []int32{cat, pad, cat, pad}},
		{`{}`, ``, HuggingFaceOptions{Clean: CleanCanonicalize}, "&lt;cat&gt; C_at!", []int32{cat, unk, unk, pad}},
		{`{"tokenizer_class": null, "pad_token": null}`, ``, HuggingFaceOptions{}, "cat", []int32{cat, pad, pad, pad}},
	} {
		fsys := fstest.MapFS{tokenizerFile: vocab, "tokenizer_config.json": file(c.config)}
		if c.special != "" {
			fsys["special_tokens_map.json"] = file(c.special)
		}
		f, err := LoadHuggingFace(fsys, c.o)
		if err != nil {
			t.Errorf("%s %+v: %v", c.config, c.o, err)
			continue
		}
		got := make([]int32, len(c.want))
		if f.Encode(got, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s %+v: %q: got %v, want %v", c.config, c.o, c.text, got, c.want)
		}
		if o, ok := f.Options(); !ok || o.Class != c.o.Class {
			t.Errorf("%s: options %+v, %t", c.config, o, ok)
		}
	}
}

// TestHuggingFaceRefuses names the file, the token or the setting.
func TestHuggingFaceRefuses(t *testing.T) {
	bare := words("WordLevel", "x", "x")
	for want, c := range map[string]struct {
		files fstest.MapFS
		o     HuggingFaceOptions
	}{
		`no token ["<pad>" "[PAD]"]`:                    {fstest.MapFS{tokenizerFile: bare}, HuggingFaceOptions{}},
		`no token ["<none>"]`:                           {fstest.MapFS{tokenizerFile: bare, "tokenizer_config.json": file(`{"pad_token": "<none>"}`)}, HuggingFaceOptions{}},
		`no token "eng_Latn"`:                           {fstest.MapFS{tokenizerFile: bare}, HuggingFaceOptions{Class: ClassNLLB}},
		`the language "fra_Latn" is asked for`:          {fstest.MapFS{tokenizerFile: bare}, HuggingFaceOptions{Language: "fra_Latn"}},
		`no separator ""`:                               {fstest.MapFS{tokenizerFile: words("WordLevel", "x", "x", "<pad>")}, HuggingFaceOptions{StripSeparator: true}},
		`Class is 99`:                                   {fstest.MapFS{tokenizerFile: bare}, HuggingFaceOptions{Class: 99}},
		`Clean is 99`:                                   {fstest.MapFS{tokenizerFile: words("WordLevel", "x", "x", "<pad>")}, HuggingFaceOptions{Clean: 99}},
		`tokenizer_config.json: unexpected end`:         {fstest.MapFS{tokenizerFile: bare, "tokenizer_config.json": file(`{`)}, HuggingFaceOptions{}},
		`tokenizer_config.json: add_bos_token`:          {fstest.MapFS{tokenizerFile: bare, "tokenizer_config.json": file(`{"add_bos_token": 3}`)}, HuggingFaceOptions{}},
		`tokenizer_config.json: extra_ids is -1`:        {fstest.MapFS{tokenizerFile: bare, "tokenizer_config.json": file(`{"extra_ids": -1}`)}, HuggingFaceOptions{}},
		`tokenizer_config.json: added_tokens_decoder`:   {fstest.MapFS{tokenizerFile: bare, "tokenizer_config.json": file(`{"added_tokens_decoder": 1}`)}, HuggingFaceOptions{}},
		`special_tokens_map.json: unexpected end`:       {fstest.MapFS{tokenizerFile: bare, "special_tokens_map.json": file(``)}, HuggingFaceOptions{}},
		`spiece.model: byte 0`:                          {fstest.MapFS{"spiece.model": file("x")}, HuggingFaceOptions{}},
		`a piece </s> and one that is unknown are want`: {fstest.MapFS{"spiece.model": &fstest.MapFile{Data: spmPieceField(spmPieceField(nil, "<unk>", 0, spmUnknown), "a", 0, spmNormal)}}, HuggingFaceOptions{Class: ClassSiglip}},
	} {
		if _, err := LoadHuggingFace(c.files, c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := LoadHuggingFace(fstest.MapFS{}, HuggingFaceOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of an empty folder: %v, want fs.ErrNotExist", err)
	}
}

// TestFramedSaves: the files come back byte for byte, unless they have changed.
func TestFramedSaves(t *testing.T) {
	fsys := fstest.MapFS{tokenizerFile: words("WordLevel", "x", "x", "<pad>"), "tokenizer_config.json": file(`{}`), "README.md": file("no")}
	f, err := LoadHuggingFace(fsys, HuggingFaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := f.Save(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("saved %v (%v), want two files", entries, err)
	}
	for _, e := range entries {
		got, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || string(got) != string(fsys[e.Name()].Data) {
			t.Errorf("%s: got %q (%v), want %q", e.Name(), got, err, fsys[e.Name()].Data)
		}
	}
	if err := f.Save(dir); err != nil {
		t.Errorf("once more: %v", err)
	}
	foreign := t.TempDir()
	mine := filepath.Join(foreign, "tokenizer_config.json")
	if err := os.WriteFile(mine, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	err = f.Save(foreign)
	if got, _ := os.ReadFile(mine); !errors.Is(err, output.ErrForeign) || string(got) != "mine" {
		t.Errorf("over another file: %v, and it is %q", err, got)
	}
	if entries, _ := os.ReadDir(foreign); len(entries) != 1 {
		t.Errorf("over another file: %v was written", entries)
	}
	fsys["tokenizer_config.json"] = file(`{ }`)
	if err := f.Save(dir); err == nil || !strings.Contains(err.Error(), "tokenizer_config.json") {
		t.Errorf("with another file: %v, want an error that names it", err)
	}
	if err := new(Framed).Save(dir); err == nil {
		t.Error("a tokenizer that came from no files was saved")
	}
}

// TestFramedFits: whatever the context, the ids end as the frame says, and no id is lost
// or twice.
func TestFramedFits(t *testing.T) {
	p, err := ReadTokenizer(words("WordLevel", "x", "x", "<pad>", "a").Data)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFramed(p.Engine(false), Frame{Clean: CleanNone, Before: []int32{7, 8}, After: []int32{9}, Pad: 1})
	if err != nil {
		t.Fatal(err)
	}
	if f.VocabSize() != 10 {
		t.Errorf("VocabSize is %d, want 10", f.VocabSize())
	}
	for _, want := range [][]int32{{}, {9}, {7, 9}, {7, 8, 9}, {7, 8, 2, 9}, {7, 8, 2, 2, 9}, {7, 8, 2, 2, 9, 1}} {
		got := make([]int32, len(want))
		n, truncated := f.Encode(got, "a a")
		if !slices.Equal(got, want) || n != min(len(want), 5) || truncated != (len(want) < 5) {
			t.Errorf("got %v, %d, %t; want %v", got, n, truncated, want)
		}
	}
	once, err := NewFramed(p.Engine(false), Frame{Clean: CleanNone, After: []int32{2}, Pad: 1, OneEnd: true})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{"x": {0, 2, 1}, "x a": {0, 2, 1}, "a a x": {2, 2, 1}} {
		got := make([]int32, 3)
		if once.Encode(got, text); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	// What an engine refuses is an error, and no ids.
	none, err := ReadTokenizer(words("WordLevel", "missing", "x", "<pad>").Data)
	if err != nil {
		t.Fatal(err)
	}
	f, err = NewFramed(none.Engine(false), Frame{Clean: CleanNone, Pad: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := []int32{5, 5}
	if n, truncated := f.Encode(got, "y"); n != 0 || !truncated || !slices.Equal(got, []int32{1, 1}) {
		t.Errorf("a text that is refused: %d, %t, %v", n, truncated, got)
	}
	if _, _, err := TryEncode(f, got, "y"); err == nil {
		t.Error("a text that is refused: no error")
	}
}

// TestSentencePieceAlone: models that lie alone give the ids of the tokenizer.json that
// transformers 4 made of them; but white space separates words in transformers 5's
// pipelines, whatever white space, and no <mask> has one before it.
func TestSentencePieceAlone(t *testing.T) {
	dir := golden.Shared(t, "tokenizers")
	for name, differ := range map[string]int{"siglip-mc4": 1, "mt5": 1, "siglip2-gemma": 0, "xlm-roberta": 2, "nllb": 0} {
		alone := fstest.MapFS{}
		for _, f := range append(sourceFiles(), "cases.jsonl") {
			if data, err := os.ReadFile(filepath.Join(dir, name, f)); err == nil && f != tokenizerFile {
				alone[f] = &fstest.MapFile{Data: data}
			}
		}
		c, err := readClass(alone)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.load(alone)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		whole, err := Load(os.DirFS(filepath.Join(dir, name)))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, text := range textsOf(t, alone["cases.jsonl"].Data) {
			got, err1 := p.IDs(nil, text, true)
			want, err2 := whole.IDs(nil, text, true)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				if found++; !strings.ContainsAny(text, "\u0085") && !strings.Contains(text, "<mask>") {
					t.Errorf("%s: %q: got %v, want %v", name, text, got, want)
				}
			}
		}
		if found != differ {
			t.Errorf("%s: %d texts differ, want %d", name, found, differ)
		}
	}
}

func textsOf(t *testing.T, lines []byte) (texts []string) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var c struct{ Text string }
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, c.Text)
	}
	return texts
}
