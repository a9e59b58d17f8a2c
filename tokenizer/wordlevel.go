package tokenizer

import "fmt"

// wordLevel is a model whose pieces are tokens as they are.
type wordLevel struct {
	*lexicon
	unknown int32 // -1: there is none
	name    string
}

func newWordLevel(l *lexicon, unknown string) wordLevel {
	m := wordLevel{l, -1, unknown}
	if id, ok := l.id(unknown); ok {
		m.unknown = id
	}
	return m
}

func (m wordLevel) start() tokenizing { return m }

func (m wordLevel) tokenize(dst []token, piece []byte) ([]token, error) {
	id, ok := m.find(piece)
	if !ok {
		if id = m.unknown; id < 0 {
			return dst, noUnknown(m.name)
		}
	}
	return append(dst, token{id, span{0, int32(len(piece))}}), nil
}

func noUnknown(name string) error {
	return fmt.Errorf("tokenizer: an unknown word, and the vocabulary has no %q", name)
}
