package tokenizer

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// wordPiece is BERT's model: of the rest of a word always the longest token, and the
// unknown token for a word that does not come out whole (Schuster and Nakajima, 2012).
type wordPiece struct {
	*lexicon
	first, inner *trie // tokens at the start of a word; behind it, without their prefix
	unknown      int32 // -1: there is none
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
	var first, inner []trieWord
	text := []byte(l.text)
	for _, e := range l.entries {
		word := text[e.from:e.to]
		if len(word) > maxWordPiece {
			return nil, fmt.Errorf("token %.20q has %d bytes, want at most %d", word, len(word), maxWordPiece)
		}
		if len(word) > 0 {
			first = append(first, trieWord{word, e.id})
		}
		if rest, ok := bytes.CutPrefix(word, []byte(prefix)); ok && len(rest) > 0 {
			inner = append(inner, trieWord{rest, e.id})
		}
	}
	m.first, m.inner = newTrie(first), newTrie(inner)
	return m, nil
}

func (m *wordPiece) start() tokenizing { return m }

func (m *wordPiece) tokenize(dst []token, piece []byte) ([]token, error) {
	start := len(dst)
	ok := len(piece) <= m.longest || utf8.RuneCount(piece) <= m.longest
	t := m.first
	for at := 0; ok && at < len(piece); t = m.inner {
		id, n := t.longest(piece[at:])
		if ok = n > 0; ok {
			dst = append(dst, token{id, span{int32(at), int32(at + n)}})
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
