package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// spmCase is a line of testdata/sentencepiece/cases.jsonl, which make.py has written
// beside the models.
type spmCase struct {
	Model       string
	Text        *string
	IDs         []int32
	Decoded     string
	Siglip      []int32
	Precompiled *string
}

func spmFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "sentencepiece", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSentencePieceGolden: ids and texts of sentencepiece, what transformers'
// SiglipTokenizer makes of them, and what the tokenizers library makes of the charsmap.
func TestSentencePieceGolden(t *testing.T) {
	models := map[string]*SentencePiece{}
	siglip, err := NewSiglip(spmFile(t, "unigram.model"))
	if err != nil {
		t.Fatal(err)
	}
	var precompiled normalizer
	lines := bufio.NewScanner(bytes.NewReader(spmFile(t, "cases.jsonl")))
	for lines.Scan() {
		var c spmCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		m := models[c.Model]
		if m == nil {
			if m, err = ParseSentencePiece(spmFile(t, c.Model+".model")); err != nil {
				t.Fatal(err)
			}
			models[c.Model] = m
			if precompiled == nil {
				if precompiled, err = newPrecompiled(m.normalizer.charsmap); err != nil {
					t.Fatal(err)
				}
			}
		}
		switch {
		case c.Siglip != nil:
			got := make([]int32, len(c.Siglip))
			if siglip.Encode(got, *c.Text); !slices.Equal(got, c.Siglip) {
				t.Errorf("SigLIP's %q: got %v, want %v", *c.Text, got, c.Siglip)
			}
			continue
		case c.Precompiled != nil:
			var x text
			x.set([]byte(*c.Text), nil, 0)
			if err := precompiled.normalize(&x); err != nil || string(x.b) != *c.Precompiled {
				t.Errorf("charsmap's %q: got %q (%v), want %q", *c.Text, x.b, err, *c.Precompiled)
			}
			continue
		case c.Text != nil:
			if got, err := m.AppendIDs(nil, *c.Text); err != nil || !slices.Equal(got, c.IDs) {
				t.Errorf("%s: %q: got %v (%v), want %v", c.Model, *c.Text, got, err, c.IDs)
			}
		}
		if got, err := m.Decode(c.IDs); err != nil || got != c.Decoded {
			t.Errorf("%s: text of %v: got %q (%v), want %q", c.Model, c.IDs, got, err, c.Decoded)
		}
	}
	if len(models) != 4 {
		t.Errorf("cases of %d models, want 4", len(models))
	}
}

// spmField appends a field of bytes to a message.
func spmField(dst []byte, number uint64, b []byte) []byte {
	dst = binary.AppendUvarint(dst, number<<3|2)
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func spmNumber(dst []byte, number, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, number<<3), value)
}

func spmPieceField(dst []byte, piece string, score float32, kind spmKind) []byte {
	p := spmField(nil, 1, []byte(piece))
	p = binary.LittleEndian.AppendUint32(append(p, 2<<3|5), math.Float32bits(score))
	return spmField(dst, 1, spmNumber(p, 3, uint64(kind)))
}

// TestSentencePieceRefuses names what is wrong.
func TestSentencePieceRefuses(t *testing.T) {
	unknown := spmPieceField(nil, "<unk>", 0, spmUnknown)
	good := slices.Clip(spmPieceField(slices.Clip(unknown), "a", -1, spmNormal))
	if _, err := ParseSentencePiece(good); err != nil {
		t.Fatal(err)
	}
	trainer := func(number, value uint64) []byte { return spmField(good, 2, spmNumber(nil, number, value)) }
	charsmap := func(b []byte) []byte { return spmField(good, 3, spmField(nil, 2, b)) }
	for want, model := range map[string][]byte{
		"no piece is unknown":                        nil,
		"no piece is a part of texts":                unknown,
		"byte 0: the message ends":                   {1<<3 | 2, 200},
		"byte 0: no tag":                             {0},
		"of kind 3":                                  {1<<3 | 3},
		"want a message":                             {1 << 3, 1},
		"piece 2 is empty":                           spmPieceField(good, "", 0, spmNormal),
		"piece 2 has 8000 bytes":                     spmPieceField(good, strings.Repeat("x", 8000), 0, spmNormal),
		`piece 2, "a\x00", has a zero byte`:          spmPieceField(good, "a\x00", 0, spmNormal),
		"is there twice":                             spmPieceField(good, "a", -2, spmNormal),
		"is unknown, and so is piece 0":              spmPieceField(good, "<u>", 0, spmUnknown),
		"has the score NaN":                          spmPieceField(good, "b", float32(math.NaN()), spmNormal),
		"has the score -Inf":                         spmPieceField(good, "b", float32(math.Inf(-1)), spmNormal),
		"type 9":                                     spmPieceField(good, "b", 0, 9),
		"byte_fallback is false":                     spmPieceField(good, "<0x00>", 0, spmByte),
		"model_type is WORD, want UNIGRAM or BPE":    trainer(3, 3),
		"no piece for byte 0":                        trainer(35, 1),
		"precompiled_charsmap: 2 bytes":              charsmap([]byte{1, 2}),
		"its trie has 16 bytes, but 0 follow":        charsmap([]byte{16, 0, 0, 0}),
		"its trie has 0 units":                       charsmap([]byte{0, 0, 0, 0, 0}),
		"do not end with a zero byte":                charsmap(append([]byte{0, 4, 0, 0}, append(make([]byte, 1024), 'x')...)),
		"replacement 0 has 1025 bytes, want at most": charsmap(append([]byte{0, 4, 0, 0}, append(make([]byte, 1024), strings.Repeat("x", 1025)...)...)),
		"its replacements are not UTF-8":             charsmap(append([]byte{0, 4, 0, 0}, append(make([]byte, 1024), 0xff, 0)...)),
	} {
		if _, err := ParseSentencePiece(model); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// TestSentencePieceTakesLittle: a file becomes a small multiple of its size in memory, and
// a long text takes a time that grows as it does.
func TestSentencePieceTakesLittle(t *testing.T) {
	var model []byte
	model = spmPieceField(model, "<unk>", 0, spmUnknown)
	for i := range 40_000 {
		model = spmPieceField(model, string(rune(0x4e00+i%20000))+string(rune('a'+i/20000)), -float32(i), spmNormal)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := ParseSentencePiece(model)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 40*uint64(len(model)) {
		t.Errorf("%d bytes for a model of %d, want at most 40 times as many", taken, len(model))
	}
	for _, text := range []string{strings.Repeat("x", 1<<20), strings.Repeat("一a", 1<<18), strings.Repeat("</s>", 1<<18)} {
		began := time.Now()
		if _, err := m.AppendIDs(nil, text); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%v for %d bytes of %.8q", took, len(text), text)
		}
	}
}

func FuzzSentencePiece(f *testing.F) {
	for _, name := range []string{"unigram", "unigram_user", "bpe", "bpe_user"} {
		f.Add(spmFile(f, name+".model"), "the cat ﬁ <sep> 🦒")
	}
	f.Fuzz(func(t *testing.T, model []byte, text string) {
		if len(model) > 1<<16 || len(text) > 1<<10 {
			return
		}
		if s, err := NewSiglip(model); err == nil {
			s.Encode(make([]int32, 8), text)
		}
		m, err := ParseSentencePiece(model)
		if err != nil {
			return
		}
		ids, err := m.AppendIDs(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Decode(ids); err != nil {
			t.Errorf("ids of %q: %v", text, err)
		}
		for _, name := range []string{"spiece.model", "sentencepiece.bpe.model", "tokenizer.model"} {
			f, err := LoadHuggingFace(fstest.MapFS{name: &fstest.MapFile{Data: model}}, HuggingFaceOptions{})
			if err == nil {
				f.Encode(make([]int32, 8), text)
			}
		}
	})
}

// FuzzTokenizerConfig reads the small files of a folder.
func FuzzTokenizerConfig(f *testing.F) {
	f.Add([]byte(`{"tokenizer_class": "GemmaTokenizer", "add_eos_token": true, "pad_token": {"content": "<pad>"}}`), []byte(`{"eos_token": "<eos>"}`), "a")
	f.Add([]byte(`{"tokenizer_class": "NllbTokenizer", "src_lang": "<eos>", "added_tokens_decoder": {"3": {"content": "</s>"}}}`), []byte(`{}`), "a</s>")
	vocab := words("WordLevel", "<unk>", "<unk>", "<pad>", "<bos>", "<eos>", "</s>", "a")
	alone := spmFile(f, "bpe.model")
	f.Fuzz(func(t *testing.T, config, special []byte, text string) {
		for name, data := range map[string][]byte{tokenizerFile: vocab.Data, "sentencepiece.bpe.model": alone} {
			fsys := fstest.MapFS{name: {Data: data}, "tokenizer_config.json": {Data: config}, "special_tokens_map.json": {Data: special}}
			if tok, err := LoadHuggingFace(fsys, HuggingFaceOptions{Clean: CleanWhitespace, StripSeparator: len(text)%2 == 0}); err == nil {
				tok.Encode(make([]int32, 8), text)
			}
		}
	})
}

func FuzzCharsmap(f *testing.F) {
	m, err := ParseSentencePiece(spmFile(f, "unigram.model"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.normalizer.charsmap, "o\u0302\u0301 ﬁ①\u200b™")
	f.Fuzz(func(t *testing.T, data []byte, s string) {
		n, err := newPrecompiled(data)
		if err != nil || len(s) > 1<<10 {
			return
		}
		s = strings.ToValidUTF8(s, "\ufffd")
		var plain, aligned text
		plain.set([]byte(s), nil, 0)
		aligned.set([]byte(s), identity(nil, s), 0)
		for _, x := range []*text{&plain, &aligned} {
			if err := n.normalize(x); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(plain.b, aligned.b) {
			t.Errorf("%q becomes %q, and %q with offsets", s, plain.b, aligned.b)
		}
		for _, a := range aligned.align {
			if a.from < 0 || a.to < a.from || int(a.to) > len(s) {
				t.Errorf("offsets %v in %d bytes", a, len(s))
			}
		}
	})
}
