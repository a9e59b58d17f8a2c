package tokenizer

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goclip/goclip/internal/inflate"
)

const (
	tinyVocab  = `{"a":0,"b":1,"a</w>":2,"b</w>":3,"ab":4,"ab</w>":5,"<|startoftext|>":6,"<|endoftext|>":7}`
	tinyMerges = "#version: 0.2\na b\na b</w>\n"
)

func zip(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func tinyJSON(vocab, merges string) string {
	return `{"model":{"type":"BPE","unk_token":"<|endoftext|>","end_of_word_suffix":"</w>","vocab":` + vocab + `,"merges":` + merges + `}}`
}

func folder(files ...string) fstest.MapFS {
	dir := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		dir[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return dir
}

func TestLoadTiny(t *testing.T) {
	for name, dir := range map[string]fstest.MapFS{
		"vocab":  folder(vocabFile, tinyVocab, mergesFile, tinyMerges),
		"merges": folder(vocabFile, tinyVocab, mergesFile, "a b\r\na b</w>"),
		"json":   folder(tokenizerFile, tinyJSON(tinyVocab, `["a b","a b</w>"]`)),
		"pairs":  folder(tokenizerFile, tinyJSON(tinyVocab, `[["a","b"],["a","b</w>"]]`)),
		"both":   folder(vocabFile, tinyVocab, mergesFile, tinyMerges, tokenizerFile, tinyJSON(tinyVocab, `["a b","a b</w>"]`)),
		"added": folder(tokenizerFile, strings.Replace(tinyJSON(`{"a":0,"b":1,"a</w>":2,"b</w>":3,"ab":4,"ab</w>":5}`, `["a b","a b</w>"]`),
			`{`, `{"added_tokens":[{"id":6,"content":"<|startoftext|>"},{"id":7,"content":"<|endoftext|>"}],`, 1)),
	} {
		b, err := LoadCLIP(dir, BPEOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		dst := make([]int32, 8)
		if n, _ := b.Encode(dst, "abab ab c"); n != 6 || [8]int32(dst) != [8]int32{6, 4, 5, 5, 7, 7, 0, 0} {
			t.Errorf("%s: ids %v, %d of them", name, dst, n)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	ids := func(s string) string { return `{` + s + `,"<|startoftext|>":2,"<|endoftext|>":3}` }
	for _, c := range []struct {
		name string
		dir  fs.FS
		want string // all of the parts, separated by "…"
	}{
		{"nothing", folder(), "tokenizer: no tokenizer, want vocab.json with merges.txt, tokenizer.json or bpe_simple_vocab_16e6.txt.gz"},
		{"no merges", folder(vocabFile, tinyVocab), "tokenizer: merges.txt is missing, of vocab.json and merges.txt"},
		{"no vocab", folder(mergesFile, tinyMerges), "tokenizer: vocab.json is missing"},
		{"a folder", folder("vocab.json/x", "", mergesFile, ""), "tokenizer: vocab.json: "},
		{"disagree", folder(vocabFile, tinyVocab, mergesFile, tinyMerges, tokenizerFile, tinyJSON(tinyVocab, `["a b"]`)),
			"tokenizer: vocab.json and tokenizer.json disagree: the merges"},
		{"disagree", folder(vocabFile, tinyVocab, mergesFile, tinyMerges, tokenizerFile,
			tinyJSON(`{"a":0,"b":1,"a</w>":2,"b</w>":3,"ab</w>":4,"ab":5,"<|startoftext|>":6,"<|endoftext|>":7}`, `["a b","a b</w>"]`)),
			`disagree: id 4 is "ab" and "ab</w>"`},

		{"empty", folder(vocabFile, "", mergesFile, ""), "tokenizer: vocab.json: vocabulary starts with"},
		{"array", folder(vocabFile, `[1]`, mergesFile, ""), "tokenizer: vocab.json: vocabulary starts with"},
		{"cut short", folder(vocabFile, `{"a":0,"b"`, mergesFile, ""), `tokenizer: vocab.json: symbol "b":`},
		{"not closed", folder(vocabFile, `{"a":0`, mergesFile, ""), "tokenizer: vocab.json: after 1 symbols:"},
		{"no number", folder(vocabFile, ids(`"a":"0","b":1`), mergesFile, ""), `tokenizer: vocab.json: symbol "a": id is`},
		{"fraction", folder(vocabFile, ids(`"a":0.5,"b":1`), mergesFile, ""), `tokenizer: vocab.json: symbol "a": id is`},
		{"negative", folder(vocabFile, ids(`"a":-1,"b":1`), mergesFile, ""), `symbol "a" has id -1, want 0 to 3`},
		{"gap", folder(vocabFile, ids(`"a":0,"b":9`), mergesFile, ""), `symbol "b" has id 9, want 0 to 3, as there are 4 symbols`},
		{"twice", folder(vocabFile, ids(`"a":0,"a":1`), mergesFile, ""), `symbol "a" has id 0 already`},
		{"one id", folder(vocabFile, ids(`"a":1,"b":1`), mergesFile, ""), `symbols "a" and "b" both have id 1`},
		{"no ends", folder(vocabFile, `{"a":0,"b":1,"c":2}`, mergesFile, ""), `tokenizer: vocab.json: the last two symbols are ["b" "c"], want the start and the end token`},
		{"too few", folder(vocabFile, `{}`, mergesFile, ""), "tokenizer: vocab.json: 0 symbols, want"},
		{"alphabet", folder(vocabFile, ids(`"a":0,"猫":1`), mergesFile, ""), `symbol "猫", id 1, is not written in the byte alphabet`},
		{"end alone", folder(vocabFile, ids(`"a":0,"</w>":1`), mergesFile, ""), `symbol "</w>", id 1, is not written`},

		{"unknown left", folder(vocabFile, tinyVocab, mergesFile, "#version: 0.2\na b\nx b\n"), `tokenizer: merges.txt: line 3: merge of "x" and "b": there is no symbol "x"`},
		{"unknown joined", folder(vocabFile, tinyVocab, mergesFile, "b a\n"), `tokenizer: merges.txt: line 1: merge of "b" and "a": there is no symbol "ba"`},
		{"one part", folder(vocabFile, tinyVocab, mergesFile, "a b\nab\n"), `tokenizer: merges.txt: line 2: merge is "ab", want two symbols`},
		{"three parts", folder(vocabFile, tinyVocab, mergesFile, "a b c\n"), `tokenizer: merges.txt: line 1: merge is "a b c"`},
		{"blank line", folder(vocabFile, tinyVocab, mergesFile, "a b\n\n"), `tokenizer: merges.txt: line 2: merge is ""`},
		{"merge twice", folder(vocabFile, tinyVocab, mergesFile, "a b\na b\n"), `tokenizer: merges.txt: line 2: merge of "a" and "b": it is merge 1 already`},

		{"no JSON", folder(tokenizerFile, "{"), "tokenizer: tokenizer.json: unexpected end"},
		{"unigram", folder(tokenizerFile, `{"model":{"type":"Unigram"}}`), `tokenizer: tokenizer.json: model has type "Unigram"`},
		{"no suffix", folder(tokenizerFile, `{"model":{"type":"BPE","vocab":{},"merges":[]}}`), `end_of_word_suffix ""`},
		{"bad merge", folder(tokenizerFile, tinyJSON(tinyVocab, `["a b","b"]`)), `tokenizer: tokenizer.json: merge 2: merge is "b"`},
		{"bad pair", folder(tokenizerFile, tinyJSON(tinyVocab, `[["a","b"],["a"]]`)), `tokenizer: tokenizer.json: merge 2 is ["a"]`},
		{"bad merges", folder(tokenizerFile, tinyJSON(tinyVocab, `{}`)), "tokenizer: tokenizer.json: merges:"},
		{"added", folder(tokenizerFile, strings.Replace(tinyJSON(tinyVocab, `[]`), `{`, `{"added_tokens":[{"id":9,"content":"x"}],`, 1)),
			`tokenizer: tokenizer.json: added token "x" has id 9, want 8`},
		{"unknown token", folder(tokenizerFile, strings.Replace(tinyJSON(tinyVocab, `[]`), `"<|endoftext|>"`, `"what"`, 1)),
			`tokenizer: tokenizer.json: byte 0x0 has no symbol, and the unknown token is "what", want "<|endoftext|>"`},

		{"no gzip", folder(gzipFile, "text"), "tokenizer: bpe_simple_vocab_16e6.txt.gz: "},
		{"gzip cut short", folder(gzipFile, zip("#\na b\n")[:24]), "tokenizer: bpe_simple_vocab_16e6.txt.gz: unexpected EOF"},
		{"gzip merge", folder(gzipFile, zip("#\na b\nab cd\n")), `tokenizer: bpe_simple_vocab_16e6.txt.gz: line 3: merge of "ab" and "cd": there is no symbol "cd"`},
		{"gzip twice", folder(gzipFile, zip("#\na b\na b\n")), `tokenizer: bpe_simple_vocab_16e6.txt.gz: line 3: symbol "ab" has id 512 already`},
		{"gzip bomb", folder(gzipFile, zip(strings.Repeat("\n", maxFile+1))), "tokenizer: bpe_simple_vocab_16e6.txt.gz: more than 33554432 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := LoadCLIP(c.dir, BPEOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, err := LoadCLIP(folder(), BPEOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	if _, err := LoadCLIP(folder(vocabFile, tinyVocab), BPEOptions{}); errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a tokenizer is not none, but the error is %v", err)
	}
	if _, err := LoadCLIP(folder(vocabFile, tinyVocab, mergesFile, tinyMerges), BPEOptions{Clean: 9}); err == nil {
		t.Error("no error for an unknown way to clean")
	}
}

// A BPE that some file gives must save and load to itself.
func checkLoaded(t *testing.T, b *BPE, err error) {
	if err != nil {
		if !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("error %q, want tokenizer: …", err)
		}
		return
	}
	for _, id := range b.Tokens("abab ab, 猫 <|endoftext|>") {
		if id < 0 || int(id) >= b.VocabSize() {
			t.Errorf("id %d, want 0 to %d", id, b.VocabSize()-1)
		}
	}
	var vocab, merges bytes.Buffer
	if err := errors.Join(b.writeVocab(&vocab), b.writeMerges(&merges)); err != nil {
		t.Fatal(err)
	}
	again, err := LoadVocab(&vocab, &merges, BPEOptions{})
	if err != nil {
		t.Fatalf("what was saved does not load: %v", err)
	}
	if !equal(b, again) {
		t.Error("what was saved is not what was loaded")
	}
}

func FuzzLoadVocab(f *testing.F) {
	f.Add(tinyVocab, tinyMerges)
	f.Add(`{"a":0}`, "a b")
	f.Add(`{"a":0,"a":1}`, "")
	f.Fuzz(func(t *testing.T, vocab, merges string) {
		b, err := LoadVocab(strings.NewReader(vocab), strings.NewReader(merges), BPEOptions{})
		checkLoaded(t, b, err)
	})
}

func FuzzLoadTokenizerJSON(f *testing.F) {
	f.Add(tinyJSON(tinyVocab, `["a b","a b</w>"]`))
	f.Add(tinyJSON(tinyVocab, `[["a","b"]]`))
	f.Add(`{"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{"a":0},"merges":null},"added_tokens":[{"id":1,"content":"b"}]}`)
	f.Fuzz(func(t *testing.T, data string) {
		b, err := LoadJSON(strings.NewReader(data), BPEOptions{})
		checkLoaded(t, b, err)
	})
}

func FuzzLoadBPE(f *testing.F) {
	f.Add([]byte("#version\na b\nab c</w>\n"), true)
	f.Add([]byte(zip("#version\na b\n")), false)
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if pack {
			data = []byte(zip(string(data)))
		}
		b, err := LoadBPE(bytes.NewReader(data), BPEOptions{})
		checkLoaded(t, b, err)
	})
}

// TestLinesBehind: of what lies behind the merges that CLIP uses nothing counts but that the
// file is whole.
func TestLinesBehind(t *testing.T) {
	var lines strings.Builder
	lines.WriteString("#version\n")
	chars := byteChars()
	n := 0
	for _, left := range chars {
		for _, right := range chars {
			if n++; n <= clipMerges {
				lines.WriteString(string(left) + " " + string(right) + "\n")
			}
		}
	}
	lines.WriteString(strings.Repeat("no merge of two symbols\n", 10_000))
	file := zip(lines.String())
	b, err := LoadBPE(strings.NewReader(file), BPEOptions{})
	if err != nil || b.VocabSize() != clipMerges+2*256+2 {
		t.Fatalf("got %v, error %v, want %d symbols", b, err, clipMerges+2*256+2)
	}
	for cut := range 9 {
		if _, err := LoadBPE(strings.NewReader(file[:len(file)-1-cut]), BPEOptions{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("without the last %d bytes: got error %v, want %v", cut+1, err, io.ErrUnexpectedEOF)
		}
	}
	bad := []byte(file)
	bad[len(bad)-8] ^= 1
	if _, err := LoadBPE(bytes.NewReader(bad), BPEOptions{}); !errors.Is(err, inflate.ErrGzip) {
		t.Errorf("with another sum: got error %v, want %v", err, inflate.ErrGzip)
	}
}
