package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// maxVocab bounds the number of symbols of a vocabulary.
const maxVocab = 1 << 20

// A vocabulary is what the files of a tokenizer hold, on its way to a [BPE].
// The errors of its methods say what is wrong; [in] adds where.
type vocabulary struct {
	source  string // the name of its file
	symbols []string
	ids     map[string]int32
	merges  []merge
	ranks   map[pair]int32
	unknown string // symbol for unknown bytes, if the file names one
}

// newVocabulary has room for so many symbols, and takes more.
func newVocabulary(source string, symbols int) *vocabulary {
	return &vocabulary{source: source, ids: make(map[string]int32, symbols), ranks: make(map[pair]int32, symbols), symbols: make([]string, 0, symbols), merges: make([]merge, 0, symbols)}
}

// in adds the name of the package and of a file to err, if there is one.
func in(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tokenizer: %s: %w", file, err)
}

// add gives the symbols the next ids.
func (v *vocabulary) add(symbols ...string) error {
	for _, s := range symbols {
		if len(v.symbols) == maxVocab {
			return fmt.Errorf("more than %d symbols", maxVocab)
		}
		// One access to the map, which the processor's caches do not hold, is enough.
		if v.ids[s] = int32(len(v.symbols)); len(v.ids) == len(v.symbols) {
			return fmt.Errorf("symbol %q has id %d already", s, slices.Index(v.symbols, s))
		}
		v.symbols = append(v.symbols, s)
	}
	return nil
}

// addBytes adds the symbols of bytes, inside a word and at its end.
func (v *vocabulary) addBytes(bytes []byte) error {
	chars := byteChars()
	for _, end := range []string{"", wordEnd} {
		for _, b := range bytes {
			if err := v.add(string(chars[b]) + end); err != nil {
				return err
			}
		}
	}
	return nil
}

// A numbered symbol says its own id.
type numbered struct {
	symbol string
	id     int
}

// addNumbered adds symbols whose ids are 0, 1, 2 and so on, in any order.
func (v *vocabulary) addNumbered(symbols []numbered) error {
	byID := make([]string, len(symbols))
	taken := make([]bool, len(symbols))
	for _, s := range symbols {
		if s.id < 0 || s.id >= len(symbols) {
			return fmt.Errorf("symbol %q has id %d, want 0 to %d, as there are %d symbols", s.symbol, s.id, len(symbols)-1, len(symbols))
		}
		if taken[s.id] {
			return fmt.Errorf("symbols %q and %q both have id %d", byID[s.id], s.symbol, s.id)
		}
		byID[s.id], taken[s.id] = s.symbol, true
	}
	return v.add(byID...)
}

// addMerge adds the merge of two symbols into one, all of which must be known.
func (v *vocabulary) addMerge(left, right string) error {
	joined, ok := v.ids[left+right]
	if !ok {
		joined = -1
	}
	return v.addMergeInto(left, right, joined)
}

// addMergeInto adds the merge of two symbols into the one of an id, which is −1 where there is none.
func (v *vocabulary) addMergeInto(left, right string, joined int32) error {
	missing := func(symbol string) error {
		return fmt.Errorf("merge of %q and %q: there is no symbol %q", left, right, symbol)
	}
	l, ok := v.ids[left]
	if !ok {
		return missing(left)
	}
	r, ok := v.ids[right]
	switch {
	case !ok:
		return missing(right)
	case joined < 0:
		return missing(left + right)
	}
	p := pair{l, r}
	if v.ranks[p] = int32(len(v.merges)); len(v.ranks) == len(v.merges) {
		rank := slices.IndexFunc(v.merges, func(m merge) bool { return m.pair == p })
		return fmt.Errorf("merge of %q and %q: it is merge %d already", left, right, rank+1)
	}
	v.merges = append(v.merges, merge{p, joined})
	return nil
}

// addMergeLine adds the merge "left right".
func (v *vocabulary) addMergeLine(line string) error {
	left, right, err := splitMerge(line)
	if err != nil {
		return err
	}
	return v.addMerge(left, right)
}

func splitMerge(line string) (left, right string, err error) {
	left, right, ok := strings.Cut(line, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return "", "", fmt.Errorf("merge is %q, want two symbols with a space between", line)
	}
	return left, right, nil
}

// same returns how two vocabularies differ.
func (v *vocabulary) same(o *vocabulary) error {
	for id := range min(len(v.symbols), len(o.symbols)) {
		if v.symbols[id] != o.symbols[id] {
			return fmt.Errorf("id %d is %q and %q", id, v.symbols[id], o.symbols[id])
		}
	}
	if len(v.symbols) != len(o.symbols) {
		return fmt.Errorf("%d and %d symbols", len(v.symbols), len(o.symbols))
	}
	if !slices.Equal(v.merges, o.merges) {
		return errors.New("the merges are not the same")
	}
	return nil
}

// tokenizer makes a BPE of a complete vocabulary.
func (v *vocabulary) tokenizer(opts BPEOptions) (*BPE, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	b := &BPE{symbols: v.symbols, merges: v.merges, ranks: v.ranks, opts: opts}
	if b.opts.Clean == 0 {
		b.opts.Clean = CleanLower
	}
	spelling, err := v.specials()
	if err != nil {
		return nil, in(v.source, err)
	}
	if b.opts.Specials == 0 {
		b.opts.Specials = spelling
	}
	b.specials = b.opts.Specials.names()
	b.symbols = append(b.symbols[:len(b.symbols)-2:len(b.symbols)-2], b.specials[:]...)
	if err := b.setLeaves(v); err != nil {
		return nil, in(v.source, err)
	}
	for id, symbol := range b.symbols[:len(b.symbols)-2] {
		if !spelled(symbol) {
			return nil, in(v.source, fmt.Errorf("symbol %q, id %d, is not written in the byte alphabet", symbol, id))
		}
	}
	b.words = sync.OnceValue(b.whole)
	return b, nil
}

// specials returns the spelling of the last two symbols.
func (v *vocabulary) specials() (Specials, error) {
	if len(v.symbols) < 3 {
		return 0, fmt.Errorf("%d symbols, want at least one besides the start and the end token", len(v.symbols))
	}
	last := [2]string(v.symbols[len(v.symbols)-2:])
	for _, s := range []Specials{OpenAISpecials, OpenCLIPSpecials} {
		if s.names() == last {
			return s, nil
		}
	}
	return 0, fmt.Errorf("the last two symbols are %q, want the start and the end token, %q or %q",
		last, OpenAISpecials.names(), OpenCLIPSpecials.names())
}

// setLeaves looks up the symbols of single bytes. Bytes without a symbol get
// [unknownToken] or, where there is none, the end token, as in Hugging Face's
// CLIPTokenizer.
func (b *BPE) setLeaves(v *vocabulary) error {
	unknown, ok := v.ids[unknownToken]
	if !ok {
		unknown = b.EndID()
	}
	named, ok := v.ids[v.unknown]
	mistaken := v.unknown != "" && (!ok || named != unknown)
	for i, end := range []string{"", wordEnd} {
		for c, char := range byteChars() {
			id, ok := v.ids[string(char)+end]
			if !ok && mistaken {
				return fmt.Errorf("byte %#x has no symbol, and the unknown token is %q, want %q", c, v.unknown, v.symbols[unknown])
			}
			if !ok {
				id = unknown
			}
			b.leaves[i][c] = id
		}
	}
	return nil
}

// whole finds the words that are one token.
func (b *BPE) whole() map[string]int32 {
	words := make(map[string]int32, len(b.symbols))
	w := new(workspace)
	for id, symbol := range b.symbols[:len(b.symbols)-2] {
		text, final := symbolBytes(symbol)
		if !final {
			continue
		}
		if w.out = b.join(w.out[:0], w, string(text)); len(w.out) == 1 && w.out[0] == int32(id) {
			words[string(text)] = int32(id)
		}
	}
	return words
}
