package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// reference loads CLIP's vocabulary.
func reference(t testing.TB, opts BPEOptions) *BPE {
	t.Helper()
	f, err := os.Open(golden.Fixtures(t, "tokenizer", gzipFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := LoadBPE(f, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The three forms of CLIP's vocabulary are one tokenizer.
func TestLoadForms(t *testing.T) {
	want := reference(t, BPEOptions{})
	dir := os.DirFS(golden.Fixtures(t, "tokenizer"))
	open := func(name string) fs.File {
		f, err := dir.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	forms := map[string]*BPE{}
	var errs [3]error
	forms[vocabFile], errs[0] = LoadVocab(open(vocabFile), open(mergesFile), BPEOptions{})
	forms[tokenizerFile], errs[1] = LoadJSON(open(tokenizerFile), BPEOptions{})
	forms["folder"], errs[2] = LoadCLIP(dir, BPEOptions{})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	for form, b := range forms {
		if !equal(b, want) {
			t.Errorf("%s is not the same as %s", form, gzipFile)
		}
	}
}

// equal reports whether two tokenizers give the same ids for every text.
func equal(a, b *BPE) bool {
	return slices.Equal(a.symbols, b.symbols) && slices.Equal(a.merges, b.merges) && maps.Equal(a.ranks, b.ranks) &&
		a.leaves == b.leaves && maps.Equal(a.words(), b.words()) && a.specials == b.specials && a.opts == b.opts
}

// eachJSON calls f for each line of a reference file.
func eachJSON[T any](t *testing.T, name string, f func(T)) {
	t.Helper()
	file, err := os.Open(golden.Fixtures(t, "tokenizer", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		var c T
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%s: line %d: %v", name, count+1, err)
		}
		f(c)
	}
	if count == 0 {
		t.Errorf("%s: no cases", name)
	}
}

func TestTokensGolden(t *testing.T) {
	type tokenCase struct {
		ID          int
		Text        string
		IDs         []int32 `json:"ids"`
		IDs77       []int32 `json:"ids77"`
		Truncated   bool
		Same        bool
		OpenCLIPIDs []int32 `json:"open_clip_ids"`
	}
	b := reference(t, BPEOptions{})
	openCLIP := reference(t, BPEOptions{Specials: OpenCLIPSpecials, Clean: CleanLower})
	eachJSON(t, "cases.jsonl", func(c tokenCase) {
		want := slices.Clone(c.IDs77)
		if !c.Truncated {
			want = append(slices.Clone(c.IDs), make([]int32, 77-len(c.IDs))...)
		}
		if got := b.withEnds(b.Tokens(c.Text)); !slices.Equal(got, c.IDs) {
			t.Errorf("case %d: Tokens(%+q)\n got %v\nwant %v", c.ID, c.Text, got, c.IDs)
		}
		got := slices.Repeat([]int32{-1}, 77)
		n, truncated := b.Encode(got, c.Text)
		if !slices.Equal(got, want) || n != min(len(c.IDs), 77) || truncated != c.Truncated {
			t.Errorf("case %d: Encode(%+q) = %d, %v\n got %v\nwant %v", c.ID, c.Text, n, truncated, got, want)
		}
		if c.Same {
			c.OpenCLIPIDs = c.IDs
		}
		if got := openCLIP.withEnds(openCLIP.Tokens(c.Text)); !slices.Equal(got, c.OpenCLIPIDs) {
			t.Errorf("case %d, open_clip: Tokens(%+q)\n got %v\nwant %v", c.ID, c.Text, got, c.OpenCLIPIDs)
		}
	})
}

// withEnds puts the start token before ids and the end token behind them.
func (b *BPE) withEnds(ids []int32) []int32 {
	return append(append([]int32{b.StartID()}, ids...), b.EndID())
}

func TestCleanModesGolden(t *testing.T) {
	byMode := map[Clean]*BPE{}
	for _, clean := range []Clean{CleanLower, CleanWhitespace, CleanCanonicalize} {
		byMode[clean] = reference(t, BPEOptions{Specials: OpenCLIPSpecials, Clean: clean})
	}
	eachJSON(t, "open_clip_clean.jsonl", func(c map[string]json.RawMessage) {
		var text string
		if err := json.Unmarshal(c["text"], &text); err != nil {
			t.Fatal(err)
		}
		for clean, b := range byMode {
			var want []int32
			if err := json.Unmarshal(c[clean.String()], &want); err != nil {
				t.Fatal(err)
			}
			if got := b.Tokens(text); !slices.Equal(got, want) {
				t.Errorf("%s: Tokens(%+q)\n got %v\nwant %v", clean, text, got, want)
			}
		}
	})
}

// CLIP's ids follow from its merges, so what is saved is what Hugging Face has.
func TestSaveGolden(t *testing.T) {
	dir := t.TempDir()
	if err := reference(t, BPEOptions{}).Save(dir); err != nil {
		t.Fatal(err)
	}
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.TrimRight(data, "\n")
	}
	ids := func(path string) (ids map[string]int) {
		if err := json.Unmarshal(read(path), &ids); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if !maps.Equal(ids(filepath.Join(dir, vocabFile)), ids(golden.Fixtures(t, "tokenizer", vocabFile))) {
		t.Errorf("%s is not the reference's", vocabFile)
	}
	if !bytes.Equal(read(filepath.Join(dir, mergesFile)), read(golden.Fixtures(t, "tokenizer", mergesFile))) {
		t.Errorf("%s is not the reference's", mergesFile)
	}
}

func BenchmarkLoadBPE(b *testing.B) {
	for b.Loop() {
		reference(b, BPEOptions{})
	}
}

func BenchmarkEncode(b *testing.B) {
	tokenizer := reference(b, BPEOptions{})
	for name, s := range map[string]string{
		"ascii":    "a photo of a dog sitting on a couch.",
		"capitals": "A cropped photo of two cats, holding an umbrella (running on the beach)",
		"accents":  "un café à la crème, déjà vu à Zürich",
		"cyrillic": "кошка сидит на столе у окна",
		"mojibake": "le cafÃ© est dÃ©jÃ  fermÃ©, donâ€™t go",
		"longword": strings.Repeat("abcdefghijklmnop", 1<<12),
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]int32, 77)
			b.ReportAllocs()
			for b.Loop() {
				tokenizer.Encode(dst, s)
			}
		})
	}
}
