package tokenizer

import (
	"fmt"
	"strings"
	"sync"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/textclean"
)

// Specials says how the start and end tokens are spelled. Where a caption
// contains that spelling, it is read as the token.
type Specials uint8

// The spellings, by the names that configurations give them.
const (
	// OpenAISpecials, "openai", are <|startoftext|> and <|endoftext|>, as in
	// openai/CLIP and Hugging Face's files.
	OpenAISpecials Specials = 1 + iota
	// OpenCLIPSpecials, "open_clip", are <start_of_text> and <end_of_text>.
	OpenCLIPSpecials
)

func specialsNames() map[Specials]string {
	return map[Specials]string{OpenAISpecials: "openai", OpenCLIPSpecials: "open_clip"}
}

// String returns the name of s.
func (s Specials) String() string { return enum.String(s, specialsNames()) }

// MarshalText returns the name of s.
func (s Specials) MarshalText() ([]byte, error) { return enum.Marshal(s, specialsNames()) }

// UnmarshalText reads a name.
func (s *Specials) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, specialsNames()) }

// names returns the spellings of the start and the end token.
func (s Specials) names() [2]string {
	if s == OpenCLIPSpecials {
		return [2]string{"<start_of_text>", "<end_of_text>"}
	}
	return [2]string{"<|startoftext|>", "<|endoftext|>"}
}

// BPEOptions are what a vocabulary's files do not tell about a tokenizer.
type BPEOptions struct {
	// Specials overrides the spelling in the vocabulary; zero keeps it.
	Specials Specials
	// Clean is how captions are cleaned; zero means [CleanLower].
	Clean Clean
}

func (o BPEOptions) validate() error {
	if err := enum.Valid(o.Specials, specialsNames()); o.Specials != 0 && err != nil {
		return fmt.Errorf("tokenizer: Specials %w", err)
	}
	if err := enum.Valid(o.Clean, cleanNames()); o.Clean != 0 && err != nil {
		return fmt.Errorf("tokenizer: Clean %w", err)
	}
	return nil
}

// unknownToken stands for bytes that a vocabulary has no symbols for.
const unknownToken = "<|unk|>"

// BPE is CLIP's tokenizer: captions are cleaned and split into words, and the
// bytes of each word are joined, pair by pair, in the order in which byte pair
// encoding (Sennrich et al., arXiv:1508.07909) has learned the pairs. The last
// two ids are the start and the end token. It gives the ids that openai/CLIP
// and, with its options, open_clip give for the same vocabulary.
//
// A BPE is immutable and safe for concurrent use.
type BPE struct {
	symbols []string                // by id, in the byte alphabet
	merges  []merge                 // by rank
	ranks   map[pair]int32          // of the merges
	leaves  [2][256]int32           // ids of the bytes inside a word and at its end
	words   func() map[string]int32 // that end up as one token, found when the first caption comes

	opts     BPEOptions
	specials [2]string // their spelling
	scratch  sync.Pool // of *workspace
}

var _ Tokenizer = (*BPE)(nil)

// VocabSize is the number of ids, start and end token included.
func (b *BPE) VocabSize() int { return len(b.symbols) }

// Options returns the options that the tokenizer works by, none of them zero.
func (b *BPE) Options() BPEOptions { return b.opts }

// StartID is the id of the start token.
func (b *BPE) StartID() int32 { return int32(len(b.symbols) - 2) }

// EndID is the id of the end token, the highest of all.
func (b *BPE) EndID() int32 { return int32(len(b.symbols) - 1) }

// Encode implements [Tokenizer]. It allocates nothing where s is plain ASCII in
// lower case.
func (b *BPE) Encode(dst []int32, s string) (n int, truncated bool) {
	if len(dst) == 0 {
		return 0, true
	}
	dst[0] = b.StartID()
	n = 1
	w := b.workspace()
	defer b.scratch.Put(w)
	s = b.opts.Clean.Text(s)
	for n < len(dst) {
		var word string
		if word, s = nextWord(s, &b.specials); word == "" {
			break
		}
		w.out = b.appendWord(w.out[:0], w, word)
		n += copy(dst[n:], w.out)
	}
	if n == len(dst) {
		dst[n-1] = b.EndID()
		return n, true
	}
	dst[n] = b.EndID()
	clear(dst[n+1:])
	return n + 1, false
}

// Tokens returns the ids of s, all of them, without start and end token.
func (b *BPE) Tokens(s string) []int32 {
	w := b.workspace()
	defer b.scratch.Put(w)
	var ids []int32
	s = b.opts.Clean.Text(s)
	for {
		var word string
		if word, s = nextWord(s, &b.specials); word == "" {
			return ids
		}
		ids = b.appendWord(ids, w, word)
	}
}

// Decode returns the text of ids, each word followed by a space; ids that do
// not exist, and bytes that make no character, become U+FFFD.
func (b *BPE) Decode(ids []int32) string {
	var out strings.Builder
	for _, id := range ids {
		switch {
		case id < 0 || int(id) >= len(b.symbols) || b.symbols[id] == unknownToken:
			out.WriteString("\ufffd")
		case id >= b.StartID():
			out.WriteString(b.specials[id-b.StartID()])
		default:
			text, final := symbolBytes(b.symbols[id])
			out.Write(text)
			if final {
				out.WriteByte(' ')
			}
		}
	}
	return textclean.Valid(out.String())
}

// appendWord appends the ids of one word.
func (b *BPE) appendWord(ids []int32, w *workspace, word string) []int32 {
	if id, ok := b.words()[word]; ok {
		return append(ids, id)
	}
	for i, name := range b.specials {
		if word == name {
			return append(ids, b.StartID()+int32(i))
		}
	}
	return b.join(ids, w, word)
}
