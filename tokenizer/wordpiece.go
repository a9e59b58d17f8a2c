package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// wordPiece is BERT's model: of the rest of a word always the longest token, and the
// unknown token for a word that does not come out whole (Schuster and Nakajima, 2012).
type wordPiece struct {
	*lexicon
	first, inner *prefixTrie // tokens at the start of a word; behind it, without their prefix
	unknown      int32       // -1: there is none
	name         string
	longest      int // characters of a word; longer ones are unknown
}

// maxWordPiece bounds the length of tokens, so that no text takes long.
const maxWordPiece = 1 << 10

func newWordPiece(l *lexicon, unknown, prefix string, longest int) (*wordPiece, error) {
	m := &wordPiece{lexicon: l, unknown: -1, name: unknown, longest: longest}
	if id, ok := l.id(unknown); ok {
		m.unknown = id
	}
	first, inner := make([]string, len(l.entries)), make([]string, len(l.entries))
	for i, e := range l.entries {
		word := l.text[e.from:e.to]
		if len(word) > maxWordPiece {
			return nil, fmt.Errorf("token %.20q has %d bytes, want at most %d", word, len(word), maxWordPiece)
		}
		first[i] = word
		if rest, ok := strings.CutPrefix(word, prefix); ok {
			inner[i] = rest
		}
	}
	m.first, m.inner = newPrefixTrie(first), newPrefixTrie(inner)
	return m, nil
}

func (m *wordPiece) start() tokenizing { return m }

func (m *wordPiece) tokenize(dst []token, piece []byte) ([]token, error) {
	start := len(dst)
	ok := len(piece) <= m.longest || utf8.RuneCount(piece) <= m.longest
	t := m.first
	for at := 0; ok && at < len(piece); t = m.inner {
		n, entry := t.longest(piece[at:])
		if ok = n > 0; ok {
			dst = append(dst, token{m.entries[entry].id, span{int32(at), int32(at + n)}})
			at += n
		}
	}
	if ok {
		return dst, nil
	}
	if m.unknown < 0 {
		return dst, noUnknown(m.name)
	}
	return append(dst[:start], token{m.unknown, span{0, int32(len(piece))}}), nil
}
