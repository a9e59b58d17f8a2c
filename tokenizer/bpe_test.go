package tokenizer

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/output"
)

var toyCaptions = []string{
	"a red circle", "a red square on a blue ground", "a small blue circle", "the green triangle's edge",
	"two red circles and a square", "a photo of a circle, it's red!", "Ein grüner Kreis", "кошка на столе",
	"1024 squares", "a triangle above a circle", "circle", "square", "triangle", "red", "green", "blue",
}

func trainToy(t testing.TB, opts TrainOptions) *BPE {
	t.Helper()
	b, err := TrainBPE(slices.Values(toyCaptions), opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncodeLayout(t *testing.T) {
	b := trainToy(t, TrainOptions{VocabSize: 600, AllBytes: true})
	for _, s := range []string{"", " ", "a red circle", "кошка", "\xff\xfe", "\u0345", strings.Repeat("square ", 50)} {
		ids := b.withEnds(b.Tokens(s))
		for length := range 20 {
			got := slices.Repeat([]int32{-1}, length)
			n, truncated := b.Encode(got, s)
			want := append(slices.Clone(ids), make([]int32, 20)...)[:length]
			if len(ids) > length && length > 0 {
				want[length-1] = b.EndID()
			}
			if !slices.Equal(got, want) || n != min(length, len(ids)) || truncated != (len(ids) > length) {
				t.Errorf("Encode(%q) in %d places = %d, %v\n got %v\nwant %v", s, length, n, truncated, got, want)
			}
		}
	}
}

func TestNextWord(t *testing.T) {
	names := OpenAISpecials.names()
	for _, c := range []struct {
		text  string
		words []string
	}{
		{"", nil},
		{" \t\n\u00a0\u2003", nil},
		{"a photo, of 2 dogs!", []string{"a", "photo", ",", "of", "2", "dogs", "!"}},
		{"123 ½Ⅷ²", []string{"1", "2", "3", "½", "Ⅷ", "²"}},
		{"it's we're they've i'm you'll he'd don't", []string{"it", "'s", "we", "'re", "they", "'ve", "i", "'m", "you", "'ll", "he", "'d", "don", "'t"}},
		{"IT'S 'LLamas o'clock 'n'", []string{"IT", "'S", "'LL", "amas", "o", "'", "clock", "'", "n", "'"}},
		{"'s't'ſ ''s .'s", []string{"'s", "'t", "'ſ", "''", "s", ".'", "s"}},
		{"x<|endoftext|>y <|STARTofTEXT|> <|ſtartoftext|>", []string{"x", "<|endoftext|>", "y", "<|STARTofTEXT|>", "<|ſtartoftext|>"}},
		{"!<|endoftext|> <|endoftext <end_of_text>", []string{"!<|", "endoftext", "|>", "<|", "endoftext", "<", "end", "_", "of", "_", "text", ">"}},
		{"日本語abcñ_-é👍🏽", []string{"日本語abcñ", "_-", "é", "👍🏽"}},
		{"a\u0345b!\u0345!", []string{"a", "b", "!", "!"}},
		{"q\u0301 \u200b\u200d", []string{"q", "\u0301", "\u200b\u200d"}},
	} {
		var words []string
		for rest := c.text; ; {
			var word string
			if word, rest = nextWord(rest, &names); word == "" {
				break
			}
			words = append(words, word)
		}
		if !slices.Equal(words, c.words) {
			t.Errorf("words of %+q\n got %+q\nwant %+q", c.text, words, c.words)
		}
	}
}

func TestSpecials(t *testing.T) {
	for _, specials := range []Specials{OpenAISpecials, OpenCLIPSpecials} {
		b := trainToy(t, TrainOptions{VocabSize: 600, BPEOptions: BPEOptions{Specials: specials}})
		names := specials.names()
		want := []int32{b.StartID(), b.EndID()}
		if got := b.Tokens(strings.ToUpper(names[0]) + " " + names[1]); !slices.Equal(got, want) {
			t.Errorf("%s: start and end token are %v, want %v", specials, got, want)
		}
		if got := b.Decode(want); got != names[0]+names[1] {
			t.Errorf("%s: Decode(%v) = %q, want %q", specials, want, got, names)
		}
		// Only the small letters are the token; others are spelled out.
		long := "<|ſtartoftext|>"
		if specials == OpenAISpecials && b.Decode(b.Tokens(long)) != b.Decode(b.join(nil, b.workspace(), long)) {
			t.Errorf("Tokens(%q) = %v, want one word", long, b.Tokens(long))
		}
	}
}

// The spelling that was asked for is saved, too.
func TestSpecialsOverride(t *testing.T) {
	load := func(dir fs.FS, opts BPEOptions) *BPE {
		b, err := LoadCLIP(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	dir := t.TempDir()
	b := load(folder(vocabFile, tinyVocab, mergesFile, tinyMerges), BPEOptions{Specials: OpenCLIPSpecials})
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	if err := load(folder(vocabFile, tinyVocab, mergesFile, tinyMerges), BPEOptions{}).Save(dir); !errors.Is(err, output.ErrForeign) {
		t.Errorf("another tokenizer in its place: %v, want output.ErrForeign", err)
	}
	again := load(os.DirFS(dir), BPEOptions{})
	if got, want := again.Tokens("ab <end_of_text>"), []int32{5, 7}; !slices.Equal(got, want) || !equal(b, again) {
		t.Errorf("Tokens after saving and loading = %v, want %v", got, want)
	}
}

// join must give what the reference's algorithm gives, which looks for the
// lowest rank anew after each round, also for merges in an order in which no
// training would put them.
func TestJoinMatchesDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 300 {
		v := newVocabulary("random", 0)
		if err := v.addBytes([]byte("abc")); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(40) {
			left, right := v.symbols[r.IntN(len(v.symbols))], v.symbols[r.IntN(len(v.symbols))]
			if _, ok := v.ids[left+right]; !ok && len(left+right) < 12 && !strings.HasSuffix(left, wordEnd) {
				if err := v.add(left + right); err != nil {
					t.Fatal(err)
				}
			}
		}
		// All ways to make each symbol, in any order.
		for _, i := range r.Perm(len(v.symbols)) {
			for cut := range v.symbols[i] {
				left, right := v.symbols[i][:cut], v.symbols[i][cut:]
				if _, ok := v.ids[left]; !ok || r.IntN(4) == 0 {
					continue
				}
				if _, ok := v.ids[right]; ok {
					if err := v.addMerge(left, right); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		names := OpenAISpecials.names()
		if err := v.add(names[:]...); err != nil {
			t.Fatal(err)
		}
		b, err := v.tokenizer(BPEOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			word := make([]byte, 1+r.IntN(30))
			for i := range word {
				word[i] = 'a' + byte(r.IntN(3))
			}
			got, want := b.join(nil, b.workspace(), string(word)), b.joinByDefinition(string(word))
			if !slices.Equal(got, want) {
				t.Fatalf("trial %d: join(%s)\n got %v\nwant %v", trial, word, got, want)
			}
		}
	}
}

func (b *BPE) joinByDefinition(word string) []int32 {
	var ids []int32
	for i := range len(word) {
		ids = append(ids, b.leaves[0][word[i]])
	}
	ids[len(ids)-1] = b.leaves[1][word[len(word)-1]]
	for {
		lowest := int32(unmerged)
		for i := range len(ids) - 1 {
			if rank, ok := b.ranks[pair{ids[i], ids[i+1]}]; ok {
				lowest = min(lowest, rank)
			}
		}
		if lowest == unmerged {
			return ids
		}
		ids = joinPair(ids, b.merges[lowest])
	}
}

func TestDecodeTokens(t *testing.T) {
	b := trainToy(t, TrainOptions{VocabSize: 700, AllBytes: true})
	for _, s := range append(toyCaptions, "café 👍🏽 日本語", "don't!! <b>", "\u0000\ufffd", "x\u0301") {
		want := strings.ReplaceAll(CleanLower.Text(s), " ", "")
		if got := strings.ReplaceAll(b.Decode(b.Tokens(s)), " ", ""); got != want {
			t.Errorf("Decode(Tokens(%+q)) = %+q, want %+q but for spaces", s, got, want)
		}
	}
	if got, want := b.Decode([]int32{-1, int32(b.VocabSize()), 1 << 30, b.leaves[1][0xc3]}), "\ufffd\ufffd\ufffd\ufffd "; got != want {
		t.Errorf("Decode of ids that do not exist = %+q, want %+q", got, want)
	}
}

// A vocabulary may lack bytes: they become the unknown token, each by itself.
func TestUnknownBytes(t *testing.T) {
	b := trainToy(t, TrainOptions{VocabSize: 400})
	unknown := b.StartID() - 1
	if b.symbols[unknown] != unknownToken {
		t.Fatalf("symbol %d is %q, want %q", unknown, b.symbols[unknown], unknownToken)
	}
	if got, want := b.Tokens("猫"), []int32{unknown, unknown, unknown}; !slices.Equal(got, want) {
		t.Errorf("Tokens of an unknown character = %v, want %v", got, want)
	}
	if got := b.Decode(b.Tokens("a 猫")); got != "a \ufffd\ufffd\ufffd" {
		t.Errorf("Decode of an unknown character = %+q", got)
	}
	if got := b.Tokens("zebra, wolf & 7% {x}"); slices.Contains(got, unknown) {
		t.Errorf("ASCII is unknown: %v", got)
	}
}

func TestInvalidUTF8(t *testing.T) {
	b := trainToy(t, TrainOptions{VocabSize: 600, AllBytes: true})
	for broken, s := range map[string]string{
		"a\xffb": "a\ufffdb", "red \xe2\x82 circle": "red \ufffd circle", "\xed\xa0\x80": "\ufffd\ufffd\ufffd",
	} {
		if got, want := b.Tokens(broken), b.Tokens(s); !slices.Equal(got, want) {
			t.Errorf("Tokens(%+q) = %v, want those of %+q, %v", broken, got, s, want)
		}
	}
}

func TestEncodeHugeText(t *testing.T) {
	b := trainToy(t, TrainOptions{VocabSize: 600})
	n := 1 << 18
	if testing.Short() {
		n >>= 4
	}
	for _, piece := range []string{"x", "ab", "circle", "red ", "кошка", "!?", "7", "猫"} {
		dst := make([]int32, 77)
		if used, truncated := b.Encode(dst, strings.Repeat(piece, n/len(piece))); used != 77 || !truncated || dst[76] != b.EndID() {
			t.Errorf("%d bytes of %q: %d ids, truncated %v, last %d", n, piece, used, truncated, dst[76])
		}
	}
}

func TestEncodeConcurrently(t *testing.T) {
	b := trainToy(t, TrainOptions{VocabSize: 400})
	var want [][]int32
	for _, s := range toyCaptions {
		want = append(want, b.Tokens(s))
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range 50 * len(toyCaptions) {
				if got := b.Tokens(toyCaptions[i%len(want)]); !slices.Equal(got, want[i%len(want)]) {
					t.Errorf("Tokens(%q) = %v, want %v", toyCaptions[i%len(want)], got, want[i%len(want)])
				}
			}
		}()
	}
	wait.Wait()
}

// Apart from fetching its workspace, which the race detector makes costly at
// random, encoding plain text allocates nothing.
func TestEncodeAllocatesNothing(t *testing.T) {
	b := trainToy(t, TrainOptions{VocabSize: 400})
	w := new(workspace)
	n := testing.AllocsPerRun(200, func() {
		s := b.opts.Clean.Text("a small xylograph of two red circles, it's blue")
		for word := ""; s != ""; {
			word, s = nextWord(s, &b.specials)
			w.out = b.appendWord(w.out[:0], w, word)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzEncode(f *testing.F) {
	for _, s := range append(toyCaptions, "", "\xff", "<|endoftext|>", "&lt;|endoftext|&gt;", "donâ€™t", strings.Repeat("ab", 50)) {
		f.Add(s, uint8(7))
	}
	full := trainToy(f, TrainOptions{VocabSize: 600, AllBytes: true})
	small := trainToy(f, TrainOptions{VocabSize: 300, BPEOptions: BPEOptions{Clean: CleanCanonicalize, Specials: OpenCLIPSpecials}})
	f.Fuzz(func(t *testing.T, s string, length uint8) {
		for _, b := range []*BPE{full, small} {
			dst := make([]int32, length)
			n, truncated := b.Encode(dst, s)
			ids := b.Tokens(s)
			if n != min(len(dst), len(ids)+2) || truncated != (len(ids)+2 > len(dst)) {
				t.Errorf("Encode(%+q) in %d places = %d, %v, but there are %d tokens", s, length, n, truncated, len(ids))
			}
			for _, id := range append(ids, dst...) {
				if id < 0 || int(id) >= b.VocabSize() {
					t.Errorf("id %d, want 0 to %d", id, b.VocabSize()-1)
				}
			}
			if got := b.Decode(ids); !utf8.ValidString(got) {
				t.Errorf("Decode = %+q, not valid UTF-8", got)
			}
		}
		clean := CleanLower.Text(s)
		if strings.ContainsRune(clean, '\u0345') {
			return // belongs to no word
		}
		want := strings.Join(strings.Fields(clean), "")
		if got := strings.Join(strings.Fields(full.Decode(full.Tokens(s))), ""); got != want {
			t.Errorf("Decode(Tokens(%+q)) = %+q, want %+q but for spaces", s, got, want)
		}
	})
}
