package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goclip/goclip/internal/golden"
)

// tokenizerWith is a file with a part in it and a model of two words.
func tokenizerWith(part, config string) string {
	model := `{"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1}, "unk_token": "<unk>"}`
	if part == "model" {
		return fmt.Sprintf(`{"version": "1.0", "model": %s}`, config)
	}
	return fmt.Sprintf(`{"version": "1.0", %q: %s, "model": %s}`, part, config, model)
}

// TestRefusalsSayWhat: what a tokenizer cannot do, or what is wrong in its file, is an error
// that names it.
func TestRefusalsSayWhat(t *testing.T) {
	split := func(expr string) string {
		b, _ := json.Marshal(expr)
		return tokenizerWith("pre_tokenizer", fmt.Sprintf(`{"type": "Split", "pattern": {"Regex": %s}, "behavior": "Isolated", "invert": false}`, b))
	}
	bpe := func(vocab, merges, more string) string {
		return tokenizerWith("model", fmt.Sprintf(`{"type": "BPE", "vocab": %s, "merges": %s%s}`, vocab, merges, more))
	}
	for _, c := range []struct{ file, want string }{
		{``, "the file ends"},
		{`{}`, "model is missing"},
		{`{"model": {}} x`, "vocab is missing"},
		{tokenizerWith("version", `"2.0"`), `version is "2.0"`},
		{tokenizerWith("normalizer", `{"type": "Shout"}`), `normalizer: type "Shout" is not supported`},
		{tokenizerWith("normalizer", `{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Shout"}]}`), `normalizers 1: type "Shout" is not supported`},
		{tokenizerWith("normalizer", `{}`), "type is missing"},
		{tokenizerWith("pre_tokenizer", `{"type": "Split", "pattern": {"Glob": "*"}, "behavior": "Isolated", "invert": false}`), "Regex is missing"},
		{tokenizerWith("pre_tokenizer", `{"type": "Punctuation", "behavior": "Lost"}`), `behavior "Lost" is not supported`},
		{tokenizerWith("pre_tokenizer", `{"type": "Metaspace", "replacement": "ab", "add_prefix_space": true}`), `"ab", want one character`},
		{tokenizerWith("post_processor", `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}], "pair": [], "special_tokens": {}}`), `special_tokens lacks "[CLS]"`},
		{tokenizerWith("decoder", `{"type": "Rot13"}`), `decoder: type "Rot13" is not supported`},
		{tokenizerWith("padding", `{"strategy": {"Fixed": 999999999}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}`), "Padding.Length is 999999999"},
		{tokenizerWith("added_tokens", `[{"id": 5, "content": "x"}]`), "2 settings, want id"},
		{tokenizerWith("added_tokens", `[{"id": -5, "content": "x"}]`), `"-5" at byte`},
		{tokenizerWith("model", `{"type": "Magic", "vocab": {}}`), `type "Magic"`},
		{bpe(`{"a": 0, "b": 0}`, `[]`, ""), `id 0 has two tokens, "a" and "b"`},
		{bpe(`{"a": 0, "a": 1}`, `[]`, ""), `token "a" has two ids, 0 and 1`},
		{bpe(`{"a": -1}`, `[]`, ""), "no whole number"},
		{bpe(`{"a": 4294967295}`, `[]`, ""), "no whole number"},
		{bpe(`{"a": 0}`, `["a b"]`, ""), `there is no symbol "b"`},
		{bpe(`{"a": 0}`, `["a"]`, ""), "want two symbols"},
		{bpe(`{"a": 0, "b": 1, "ab": 2}`, `[["a", "b", "c"]]`, ""), "want two symbols"},
		{bpe(`{"a": 0}`, `[]`, `, "dropout": 0.1`), "dropout"},
		{split("(a"), "a parenthesis is not closed"},
		{split("(?<name>a)"), "the group (?<name is not supported"},
		{split(`\p{Klingon}`), `\p{Klingon} is not supported`},
		{split(`[[:alpha:]]`), "[:alpha:] is not supported"},
		{split(`\X`), `\X is not supported`},
		{split(strings.Repeat("(", 1000)), "more than 50 deep"},
		{split(strings.Repeat("a", maxPattern+1)), "bytes, want at most"},
		{split("(((((ab){99}){99}){99}){99}){99}"), "too long"},
		{strings.Repeat(`{"model":`, 200), "deep in each other"},
		{tokenizerWith("normalizer", strings.Repeat(`{"type": "Sequence", "normalizers": [`, 20)+strings.Repeat("]}", 20)), "sequences lie more than"},
		{tokenizerWith("normalizer", `{"type": "Sequence", "normalizers": [`+strings.TrimSuffix(strings.Repeat(`{"type": "NFC"},`, 65), ",")+"]}"), "too many"},
	} {
		_, err := ReadTokenizer([]byte(c.file))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.60s: got error %v, want none", c.file, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "tokenizer: ")):
			t.Errorf("%.90s: got error %v, want tokenizer: … %s", c.file, err, c.want)
		}
	}
}

// TestFilesTakeTheirOwnSize: reading takes memory by what a file holds, and not by what it
// says.
func TestFilesTakeTheirOwnSize(t *testing.T) {
	big := func(element string, n int) string { return strings.TrimSuffix(strings.Repeat(element+",", n), ",") }
	for name, file := range map[string]string{
		"a distant id":        tokenizerWith("model", `{"type": "WordLevel", "vocab": {"a": 2147483646}, "unk_token": "a"}`),
		"nested arrays":       tokenizerWith("normalizer", strings.Repeat("[", 1<<20)),
		"nested objects":      strings.Repeat(`{"a":`, 1<<18),
		"fields":              tokenizerWith("normalizer", "{"+big(`"x":1`, 1<<18)+"}"),
		"merges of nothing":   tokenizerWith("model", `{"type": "BPE", "vocab": {"a": 0}, "merges": [`+big(`["a","a"]`, 1<<17)+`]}`),
		"merges without end":  tokenizerWith("model", `{"type": "BPE", "continuing_subword_prefix": "a", "vocab": {"a": 0}, "merges": [`+big(`["a","a"]`, 1<<17)+`]}`),
		"one letter words":    tokenizerWith("model", `{"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "", "max_input_chars_per_word": 100, "vocab": {"`+strings.Repeat("a", 1000)+`": 0}}`),
		"added tokens":        tokenizerWith("added_tokens", "["+big(`{"id":1,"content":"x","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":false}`, 1<<13)+"]"),
		"pieces":              tokenizerWith("model", `{"type": "Unigram", "unk_id": 0, "vocab": [`+big(`["a",-1]`, 1<<16)+`]}`),
		"counts of counts":    tokenizerWith("pre_tokenizer", `{"type": "Split", "pattern": {"Regex": "`+strings.Repeat("(", 100)+"a"+strings.Repeat("{1000})", 100)+`"}, "behavior": "Isolated", "invert": false}`),
		"a long expression":   tokenizerWith("pre_tokenizer", `{"type": "Split", "pattern": {"Regex": "`+strings.Repeat("(?:a|b)*", 1<<16)+`"}, "behavior": "Isolated", "invert": false}`),
		"deep expressions":    tokenizerWith("pre_tokenizer", `{"type": "Split", "pattern": {"Regex": "`+strings.Repeat("(", 1<<19)+`"}, "behavior": "Isolated", "invert": false}`),
		"sets of expressions": tokenizerWith("pre_tokenizer", `{"type": "Split", "pattern": {"Regex": "`+strings.Repeat(`[\\p{L}x]`, 400)+`"}, "behavior": "Isolated", "invert": false}`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := ReadTokenizer([]byte(file))
		runtime.ReadMemStats(&after)
		// All that was ever allocated, sets of characters included, which any file may ask for.
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(16*len(file)+4<<20); took > most {
			t.Errorf("%s: %d bytes took %d, want at most %d (error %v)", name, len(file), took, most, err)
		}
		if err == nil {
			_, _ = p.IDs(nil, "aaaa aaa\n", true)
		}
	}
}

// TestModelsTakeTheirOwnSize: a .model of SentencePiece takes memory by its size.
func TestModelsTakeTheirOwnSize(t *testing.T) {
	whole := spmFile(t, "unigram.model")
	for name, file := range map[string][]byte{
		"empty pieces":      bytes.Repeat([]byte{0x0a, 0x00}, 1<<18),
		"pieces of a byte":  bytes.Repeat([]byte{0x0a, 0x03, 0x0a, 0x01, 'a'}, 1<<17),
		"one after another": bytes.Repeat(whole, 8),
		"lengths":           bytes.Repeat([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x07}, 1<<16),
		"unknown fields":    bytes.Repeat([]byte{0x78, 0x01}, 1<<18),
		"groups":            bytes.Repeat([]byte{0x0b}, 1<<19),
		"one long piece":    append([]byte{0x0a, 0x84, 0x80, 0x40, 0x0a, 0x80, 0x80, 0x40}, bytes.Repeat([]byte{'a'}, 1<<20)...),
		"a charsmap":        append([]byte{0x1a, 0x84, 0x80, 0x40, 0x12, 0x80, 0x80, 0x40}, bytes.Repeat([]byte{0xff}, 1<<20)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseSentencePiece(file)
		_, err2 := LoadHuggingFace(fstest.MapFS{"spiece.model": {Data: file}}, HuggingFaceOptions{})
		runtime.ReadMemStats(&after)
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(2*32*len(file)+8<<20); took > most {
			t.Errorf("%s: %d bytes took %d, want at most %d (errors %.200v, %.200v)", name, len(file), took, most, err, err2)
		}
		if err == nil && name != "one after another" {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestLongTextsTakeLinearTime: a quarter of a million bytes without a place to cut, through every kind of
// tokenizer. What is not linear would take hours.
func TestLongTextsTakeLinearTime(t *testing.T) {
	dir := golden.Shared(t, "tokenizers")
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 1 << 18
	texts := map[string]string{
		"letters":  strings.Repeat("abcdefghij", n/10),
		"one":      strings.Repeat("a", n),
		"spaces":   strings.Repeat(" ", n) + "x",
		"accents":  strings.Repeat("e\u0301", n/3),
		"marks":    strings.Repeat("\u0301\u0323", n/4),
		"hanzi":    strings.Repeat("你好", n/6),
		"specials": strings.Repeat("<", n/2) + strings.Repeat("</s", n/6),
		"emoji":    strings.Repeat("👨\u200d", n/7),
	}
	for _, name := range []string{"t5-small", "siglip2-gemma", "nllb", "xlm-roberta", "bert-base-uncased", "roberta-base", "modernbert", "cl100k_base"} {
		p, err := Load(os.DirFS(dir + "/" + name))
		if err != nil {
			t.Fatal(err)
		}
		for kind, s := range texts {
			if _, err := p.Count(s); err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
}

// TestSlowPatternsAreErrors: an expression that would go back and forth for ever ends in an
// error that says so, and one that makes a text grow does, too.
func TestSlowPatternsAreErrors(t *testing.T) {
	for name, c := range map[string]struct{ part, config, text, want string }{
		"choices": {"pre_tokenizer", `{"type": "Split", "pattern": {"Regex": "(a|a|aa)+$b"}, "behavior": "Isolated", "invert": false}`, strings.Repeat("a", 5000), "takes too long"},
		"rest":    {"pre_tokenizer", `{"type": "Split", "pattern": {"Regex": "\\s+x"}, "behavior": "Isolated", "invert": false}`, strings.Repeat(" ", 5000), "takes too long"},
		"growth": {"normalizer", `{"type": "Sequence", "normalizers": [` + strings.TrimSuffix(strings.Repeat(`{"type": "Replace", "pattern": {"String": "a"}, "content": "`+strings.Repeat("a", 200)+`"},`, 30), ",") + `]}`,
			strings.Repeat("a", 1000), "grows without measure"},
		"bytes": {"pre_tokenizer", `{"type": "Sequence", "pretokenizers": [` + strings.TrimSuffix(strings.Repeat(`{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},`, 60), ",") + `]}`,
			strings.Repeat("é", 1000), "grows without measure"},
	} {
		p, err := ReadTokenizer([]byte(tokenizerWith(c.part, c.config)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.IDs(nil, c.text, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one that says %q", name, err, c.want)
		}
	}
}

func FuzzReadTokenizer(f *testing.F) {
	f.Add([]byte(tokenizerWith("normalizer", `{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}]}`)), "a b")
	f.Add([]byte(tokenizerWith("model", `{"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]], "byte_fallback": true}`)), "ab")
	f.Add([]byte(tokenizerWith("model", `{"unk_id": 0, "vocab": [["<unk>", 0], ["a", -1.5e0]]}`)), "aé")
	f.Add([]byte(tokenizerWith("post_processor", `{"type": "BertProcessing", "sep": ["x", 1], "cls": ["y", 2]}`)), "a")
	f.Add([]byte(tokenizerWith("added_tokens", `[{"id": 7, "content": "\ud83d\ude00", "single_word": true, "lstrip": true, "rstrip": true, "normalized": true, "special": true}]`)), "a 😀")
	f.Fuzz(func(t *testing.T, file []byte, s string) {
		p, err := ReadTokenizer(file)
		if err != nil || len(s) > 1000 {
			return
		}
		e, err := p.Encode(s)
		if err != nil {
			return
		}
		p.Decode(e.IDs(), true)
		if p.truncation != nil || p.padding != nil {
			return
		}
		if ids, err := p.IDs(nil, s, true); err != nil || len(ids) != len(e.Tokens) {
			t.Fatalf("IDs has %d (%v), Encode %d", len(ids), err, len(e.Tokens))
		}
	})
}

func FuzzLoadFiles(f *testing.F) {
	f.Add([]byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n"), []byte{}, []byte{}, []byte{})
	f.Add([]byte{}, []byte(`{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "a": 5, "b": 6, "ab": 7}`), []byte("#version: 0.2\na b\n"), []byte{})
	ranks := ""
	for b := range 256 {
		ranks += fmt.Sprintf("%s %d\n", base64.StdEncoding.EncodeToString([]byte{byte(b)}), b)
	}
	f.Add([]byte(`{"pat_str": "\\w+|.", "ranks": "x.tiktoken", "special_tokens": {"<e>": 300}}`), []byte{}, []byte{}, []byte(ranks))
	f.Fuzz(func(t *testing.T, words, vocab, merges, ranks []byte) {
		for _, files := range []map[string][]byte{{wordsFile: words}, {vocabFile: vocab, mergesFile: merges}, {encodingFile: words, "x.tiktoken": ranks}} {
			folder := fstest.MapFS{}
			for name, data := range files {
				folder[name] = &fstest.MapFile{Data: data}
			}
			p, err := Load(folder)
			if err != nil {
				continue
			}
			if ids, err := p.IDs(nil, "ab <e> é\n", true); err == nil {
				p.Decode(ids, false)
			}
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, expr := range []string{gpt2Pattern, `(a|b)*?\1`, `[^\W\d&&[a-z]]+`, `(?<=a)b(?!c)`, `x{2,3}+y?`, `(?i:k)\b|^$`} {
		f.Add(expr, "a photo of Kk 123\n\naab bbc xxxy")
	}
	f.Fuzz(func(t *testing.T, expr, s string) {
		p, err := newPattern(expr, false)
		if err != nil || len(s) > 1000 {
			return
		}
		end := 0
		_ = p.each([]byte(strings.ToValidUTF8(s, "?")), func(from, to int) {
			if from < end || to < from {
				t.Fatalf("%q matches %d to %d behind %d", expr, from, to, end)
			}
			end = to
		})
	})
}
