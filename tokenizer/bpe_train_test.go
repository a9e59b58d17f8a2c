package tokenizer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// The result depends on the words' counts alone, not on the captions' order.
func TestTrainIsDeterministic(t *testing.T) {
	want := trainToy(t, TrainOptions{VocabSize: 300})
	shuffled := slices.Clone(toyCaptions)
	r := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		b, err := TrainBPE(slices.Values(shuffled), TrainOptions{VocabSize: 300})
		if err != nil {
			t.Fatal(err)
		}
		if !equal(b, want) {
			t.Fatal("another order of the captions gives another vocabulary")
		}
	}
}

// The learner must make the merges that counting all pairs anew before each
// merge gives.
func TestTrainMatchesDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for trial := range 60 {
		var captions []string
		for range 1 + r.IntN(40) {
			word := make([]byte, 1+r.IntN(8))
			for i := range word {
				word[i] = 'a' + byte(r.IntN(1+r.IntN(4)))
			}
			captions = append(captions, string(word))
		}
		opts := TrainOptions{VocabSize: 600, MinCount: 1 + r.IntN(3)}
		b, err := TrainBPE(slices.Values(captions), opts)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range b.merges {
			got = append(got, b.symbols[m.left]+" "+b.symbols[m.right])
		}
		if want := mergesByDefinition(b, captions, opts); !slices.Equal(got, want) {
			t.Fatalf("trial %d, captions %q\n got %q\nwant %q", trial, captions, got, want)
		}
	}
}

// mergesByDefinition learns from one-word captions, with the byte ids of b.
func mergesByDefinition(b *BPE, captions []string, opts TrainOptions) []string {
	symbols := slices.Clone(b.symbols[:len(b.symbols)-3-len(b.merges)])
	words := make([][]int32, len(captions))
	for i, s := range captions {
		for j := range len(s) {
			words[i] = append(words[i], b.leaves[0][s[j]])
		}
		words[i][len(s)-1] = b.leaves[1][s[len(s)-1]]
	}
	var merges []string
	for {
		count := map[pair]int{}
		for _, ids := range words {
			for i := range len(ids) - 1 {
				count[pair{ids[i], ids[i+1]}]++
			}
		}
		maps.DeleteFunc(count, func(p pair, n int) bool {
			return n < opts.MinCount || slices.Contains(symbols, symbols[p.left]+symbols[p.right])
		})
		if len(count) == 0 || len(symbols) == opts.VocabSize-3 {
			return merges
		}
		best := slices.MinFunc(slices.Collect(maps.Keys(count)), func(a, b pair) int {
			return slices.Compare([]int{-count[a], int(a.left), int(a.right)}, []int{-count[b], int(b.left), int(b.right)})
		})
		m := merge{best, int32(len(symbols))}
		merges = append(merges, symbols[m.left]+" "+symbols[m.right])
		symbols = append(symbols, symbols[m.left]+symbols[m.right])
		for i := range words {
			words[i] = joinPair(words[i], m)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	for _, opts := range []TrainOptions{
		{VocabSize: 300},
		{VocabSize: 2000, MinCount: 1},
		{VocabSize: 514, AllBytes: true},
		{VocabSize: 700, AllBytes: true, BPEOptions: BPEOptions{Specials: OpenCLIPSpecials}},
		{VocabSize: 400, BPEOptions: BPEOptions{Clean: CleanWhitespace}},
	} {
		b := trainToy(t, opts)
		if b.VocabSize() > opts.VocabSize || b.VocabSize() != len(b.symbols) {
			t.Errorf("%+v: %d symbols", opts, b.VocabSize())
		}
		dir := t.TempDir()
		if err := b.Save(dir); err != nil {
			t.Fatal(err)
		}
		loaded, err := LoadCLIP(os.DirFS(dir), BPEOptions{Clean: opts.Clean})
		if err != nil {
			t.Fatal(err)
		}
		if !equal(b, loaded) || loaded.Options() != b.Options() {
			t.Errorf("%+v: the tokenizer loaded is not the one saved", opts)
		}
	}
	if err := trainToy(t, TrainOptions{VocabSize: 300}).Save(t.TempDir() + "/nowhere"); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
		t.Errorf("Save into a folder that is not there: %v", err)
	}
}

// With all bytes, ids are laid out as in CLIP's vocabulary.
func TestTrainLayout(t *testing.T) {
	b := trainToy(t, TrainOptions{VocabSize: 520, AllBytes: true})
	for symbol, want := range map[string]int{
		"!": 0, "a": 64, "~": 93, "¡": 94, "Ā": 188, "Ń": 255, "!</w>": 256, "a</w>": 320,
		"<|startoftext|>": 518, "<|endoftext|>": 519,
	} {
		if got := slices.Index(b.symbols, symbol); got != want {
			t.Errorf("%q has id %d, want %d", symbol, got, want)
		}
	}
	for _, m := range b.merges {
		if b.symbols[m.joined] != b.symbols[m.left]+b.symbols[m.right] {
			t.Errorf("%q and %q make %q", b.symbols[m.left], b.symbols[m.right], b.symbols[m.joined])
		}
	}
	if word := b.Tokens("circle"); len(word) > 4 {
		t.Errorf("a frequent word has %d tokens: %v", len(word), word)
	}
}

func TestTrainRefuses(t *testing.T) {
	for want, opts := range map[string]TrainOptions{
		"tokenizer: VocabSize is 0, want at least":                                                   {},
		"tokenizer: VocabSize is 513, want at least 514":                                             {VocabSize: 513, AllBytes: true},
		"tokenizer: VocabSize is 2097152, want 1048576":                                              {VocabSize: 1 << 21},
		"tokenizer: MinCount is -1, want 1 at least":                                                 {VocabSize: 600, MinCount: -1},
		"tokenizer: Clean is 9, want lower, whitespace, canonicalize, whitespace_underscore or none": {VocabSize: 600, BPEOptions: BPEOptions{Clean: 9}},
		"tokenizer: Specials is 9, want openai or open_clip":                                         {VocabSize: 600, BPEOptions: BPEOptions{Specials: 9}},
	} {
		_, err := TrainBPE(slices.Values(toyCaptions), opts)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("TrainBPE(%+v): error %v, want %q…", opts, err, want)
		}
	}
}

func ExampleTrainBPE() {
	captions := []string{"a red circle", "a red square", "two red circles", "a blue circle"}
	b, err := TrainBPE(slices.Values(captions), TrainOptions{VocabSize: 160})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range b.Tokens("A red circle!") {
		fmt.Printf("%q ", b.Decode([]int32{id}))
	}
	ids := make([]int32, 8)
	n, truncated := b.Encode(ids, "A red circle!")
	fmt.Println(n, truncated)
	// Output: "a " "red " "circle " "! " 6 false
}
