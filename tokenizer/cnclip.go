package tokenizer

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/textclean"
)

// cnCLIP is the tokenizer of OFA-Sys's cn_clip, BERT's as Python once had it: letters
// become small by Python's rules, private characters stay, and words may have 200
// characters. Special tokens in a text are text.
type cnCLIP struct {
	*wordPiece
	scratch sync.Pool // of *cnCLIPScratch
}

type cnCLIPScratch struct {
	text   text
	tokens []token
}

// NewCNCLIP returns the tokenizer of OFA-Sys's program cn_clip for the vocab.txt of
// Chinese CLIP. (transformers has another for the same models, [ClassBERT], which gives
// other ids for some captions, and which a Chinese CLIP loads with. To have this one, pass it
// as the Tokenizer of encoder.Options.)
func NewCNCLIP(vocab []byte) (*Framed, error) {
	l, err := readLines(vocab)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: vocab.txt: %w", err)
	}
	var ids [4]int32
	for i, name := range []string{"[UNK]", "[CLS]", "[SEP]", "[PAD]"} {
		id, ok := l.id(name)
		if !ok {
			return nil, fmt.Errorf("tokenizer: vocab.txt: no line is %s", name)
		}
		ids[i] = id
	}
	m, err := newWordPiece(l, "[UNK]", "##", 200)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: vocab.txt: %w", err)
	}
	// It fills up with zeros, whatever stands for them.
	return NewFramed(&cnCLIP{wordPiece: m}, Frame{Clean: CleanNone, Before: ids[1:2], After: ids[2:3]})
}

// VocabSize implements [Engine].
func (c *cnCLIP) VocabSize() int { return c.top() }

// AppendIDs implements [Engine].
func (c *cnCLIP) AppendIDs(dst []int32, s string) ([]int32, error) {
	w, _ := c.scratch.Get().(*cnCLIPScratch)
	if w == nil {
		w = new(cnCLIPScratch)
	}
	defer c.scratch.Put(w)
	s = textclean.Lower(strings.Map(cleanPython, textclean.Valid(s)))
	w.text.set([]byte(s), nil, 0)
	if err := (normalForm{}).normalize(&w.text); err != nil {
		return dst, err
	}
	var word []byte
	var err error
	end := func() {
		if len(word) > 0 && err == nil {
			w.tokens, err = c.tokenize(w.tokens[:0], word)
			dst = appendIDs(dst, w.tokens)
		}
		word = word[:0]
	}
	for _, r := range string(w.text.b) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case textclean.IsSpace(r):
			end()
		case isIdeograph(r), 0x2b820 <= r && r < 0x2b920, r < utf8.RuneSelf && isPunctuation(r), unicode.IsPunct(r):
			end()
			word = utf8.AppendRune(word, r)
			end()
		default:
			word = utf8.AppendRune(word, r)
		}
	}
	end()
	return dst, err
}

// cleanPython drops what BERT's first program drops.
func cleanPython(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || unicode.Is(unicode.Zs, r):
		return ' '
	case r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf):
		return -1
	}
	return r
}
