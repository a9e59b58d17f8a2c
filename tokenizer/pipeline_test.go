package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/goclip/goclip/internal/golden"
)

// TestPipelinesAreTheReferences: tokenizers of random parts give the ids, tokens, offsets
// and texts of Hugging Face's library; _gen/pipelines.py wrote them down. The library's own
// tokenizers are compared by tools/conform.
func TestPipelinesAreTheReferences(t *testing.T) {
	f, err := os.Open("testdata/pipelines.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var l struct {
			Tokenizer json.RawMessage
			Cases     []referenceCase
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		p, err := ReadTokenizer(l.Tokenizer)
		if err != nil {
			t.Errorf("line %d: %v", n, err)
			continue
		}
		for _, c := range l.Cases {
			c.compare(t, n, p)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

type referenceCase struct {
	Text    string
	IDs     []int32
	Tokens  []string
	Offsets [][2]int
	Decoded string
}

func (c referenceCase) compare(t *testing.T, line int, p *Pipeline) {
	t.Helper()
	e, err := p.Encode(c.Text)
	if err != nil {
		t.Errorf("line %d, %q: %v", line, c.Text, err)
		return
	}
	var tokens []string
	var offsets [][2]int
	for _, x := range e.Tokens {
		tokens, offsets = append(tokens, x.Text), append(offsets, [2]int{x.From, x.To})
	}
	ids, err := p.IDs(nil, c.Text, true)
	n, err2 := p.Count(c.Text)
	switch {
	case err != nil || err2 != nil:
		t.Errorf("line %d, %q: %v, %v", line, c.Text, err, err2)
	case !slices.Equal(e.IDs(), c.IDs) || !slices.Equal(ids, c.IDs) || n != len(c.IDs):
		t.Errorf("line %d, %q: got ids %v and %v, %d of them, want %v", line, c.Text, e.IDs(), ids, n, c.IDs)
	case !slices.Equal(tokens, c.Tokens):
		t.Errorf("line %d, %q: got tokens %q, want %q", line, c.Text, tokens, c.Tokens)
	case !slices.Equal(offsets, c.Offsets):
		t.Errorf("line %d, %q: got offsets %v, want %v", line, c.Text, offsets, c.Offsets)
	case p.Decode(c.IDs, false) != c.Decoded:
		t.Errorf("line %d, %q: got text %q, want %q", line, c.Text, p.Decode(c.IDs, false), c.Decoded)
	}
}

// sampleTexts are of many kinds, and one of them is not UTF-8.
func sampleTexts() []string {
	return []string{"", " ", "a photo of a cat", "It's  the Café\u0301's \n\n 12345 你好 ｶﾞ 👨‍👩‍👧", "▁▁a</s> <mask>b<|endoftext|>", "\xff\xfea\xe4\xbd", strings.Repeat("ab ", 50)}
}

// TestOtherFilesOfOneTokenizer: a list of words, and a vocabulary with merges, make the
// tokenizer that tokenizer.json beside them describes.
func TestOtherFilesOfOneTokenizer(t *testing.T) {
	for name, files := range map[string][]string{
		"bert-base-uncased": {wordsFile},
		"chinese-clip":      {wordsFile},
		"roberta-base":      {vocabFile, mergesFile},
	} {
		dir := golden.Shared(t, "tokenizers", name)
		whole, err := Load(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		parts := fstest.MapFS{}
		for _, file := range files {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			parts[file] = &fstest.MapFile{Data: data}
		}
		p, err := Load(parts)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sampleTexts() {
			want, err := whole.Encode(s)
			got, err2 := p.Encode(s)
			if err != nil || err2 != nil || !slices.Equal(got.Tokens, want.Tokens) {
				t.Errorf("%s, %q: got %v (%v), want %v (%v)", name, s, got.Tokens, err2, want.Tokens, err)
			}
		}
	}
}

// TestPipelinesAreShared: goroutines get what one alone gets.
func TestPipelinesAreShared(t *testing.T) {
	p := samplePipeline(t)
	want := map[string][]int32{}
	for _, s := range sampleTexts() {
		want[s], _ = p.IDs(nil, s, true)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range 50 {
				for s, ids := range want {
					if got, err := p.IDs(nil, s, true); err != nil || !slices.Equal(got, ids) {
						t.Errorf("%q: got %v (%v), want %v", s, got, err, ids)
					}
				}
			}
		}()
	}
	wait.Wait()
}

// TestIDsAllocateNothing once the memory is there.
func TestIDsAllocateNothing(t *testing.T) {
	p := samplePipeline(t)
	ids := make([]int32, 0, 1000)
	allocs := testing.AllocsPerRun(100, func() {
		var err error
		if ids, err = p.IDs(ids[:0], "a photo of a cat, ab abc", true); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 && !raceDetector { // the pool may lose its memory to a collection, and does on purpose under the detector
		t.Errorf("got %v allocations, want none", allocs)
	}
}

// samplePipeline is a byte-level tokenizer of a few merges.
func samplePipeline(t testing.TB) *Pipeline {
	t.Helper()
	vocab := map[string]int{}
	for _, c := range byteChars() {
		vocab[string(c)] = len(vocab)
	}
	merges := [][2]string{{"a", "b"}, {"ab", "c"}, {"Ġ", "a"}, {"p", "h"}, {"Ġ", "ph"}, {"c", "a"}, {"ca", "t"}}
	for _, m := range merges {
		vocab[m[0]+m[1]] = len(vocab)
	}
	file, err := json.Marshal(map[string]any{
		"version":        "1.0",
		"added_tokens":   []any{map[string]any{"id": 300, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}},
		"pre_tokenizer":  map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
		"post_processor": map[string]any{"type": "RobertaProcessing", "sep": []any{"<|endoftext|>", 263}, "cls": []any{"<|endoftext|>", 263}, "trim_offsets": true, "add_prefix_space": false},
		"decoder":        map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model":          map[string]any{"type": "BPE", "vocab": vocab, "merges": merges},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadTokenizer(bytes.TrimSpace(file))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDecodeIsTheWayBack, for texts without special tokens.
func TestDecodeIsTheWayBack(t *testing.T) {
	p := samplePipeline(t)
	for _, s := range []string{"a photo of a cat", "ab  abc\n\t你好 👨‍👩‍👧", ""} {
		ids, err := p.IDs(nil, s, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Decode(ids, false); got != s {
			t.Errorf("got %q, want %q", got, s)
		}
	}
}

// TestEqualLinesOfWords: the last of them has the token, and other ids stay.
func TestEqualLinesOfWords(t *testing.T) {
	p, err := Load(fstest.MapFS{wordsFile: &fstest.MapFile{Data: []byte("[PAD]\n\n[UNK]\na\n[CLS]\n\u3000\n[SEP]\na\n[MASK]\nb")}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.IDs(nil, "a b [MASK]", true); err != nil || !slices.Equal(got, []int32{4, 7, 9, 8, 6}) {
		t.Errorf("got %v (%v), want [4 7 9 8 6]", got, err)
	}
}
