package tokenizer

import (
	"bytes"
	"unicode/utf8"
)

// byteLevel cuts words as GPT-2 does and writes their bytes in a printable alphabet.
type byteLevel struct {
	prefix   bool     // a space comes first
	pattern  *pattern // of words; nil: the text stays whole
	alphabet byteAlphabet
}

// gpt2Pattern cuts words with the space before them. It is ByteLevel's own.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func newByteLevel(prefix, words bool) (byteLevel, error) {
	b := byteLevel{prefix: prefix, alphabet: newByteAlphabet()}
	if !words {
		return b, nil
	}
	var err error
	b.pattern, err = newPattern(gpt2Pattern, false)
	return b, err
}

func (s byteLevel) split(p *pieces) error {
	if s.prefix {
		if err := p.normalize(spaceFirst{}); err != nil {
			return err
		}
	}
	if s.pattern != nil {
		if err := (splitPattern{s.pattern, isolated, false}).split(p); err != nil {
			return err
		}
	}
	return p.normalize(s.alphabet)
}

// spaceFirst puts a space before a text that does not begin with one.
type spaceFirst struct{}

func (spaceFirst) normalize(t *text) error {
	if bytes.HasPrefix(t.b, []byte{' '}) {
		return nil
	}
	return prepend(" ").normalize(t)
}

// metaspace writes spaces as another character, as SentencePiece does, and cuts words
// before it.
type metaspace struct {
	replacement rune
	scheme      scheme
	whole       bool // nothing is cut
}

// scheme says where a replacement is put at the beginning.
type scheme uint8

const (
	prependAlways scheme = 1 + iota // before every piece
	prependFirst                    // before the text
	prependNever
)

func schemeNames() map[scheme]string {
	return map[scheme]string{prependAlways: "always", prependFirst: "first", prependNever: "never"}
}

func (s metaspace) split(p *pieces) error {
	if err := p.normalize(s); err != nil {
		return err
	}
	if s.whole {
		return nil
	}
	mark := utf8.AppendRune(nil, s.replacement)
	p.split(func(cuts []span, b []byte) []span {
		from := 0
		for {
			// A mark begins a piece, and stands alone before another one.
			n := bytes.Index(b[min(from+1, len(b)):], mark)
			if n < 0 {
				return append(cuts, span{int32(from), int32(len(b))})
			}
			cuts = append(cuts, span{int32(from), int32(from + 1 + n)})
			from += 1 + n
		}
	})
	return nil
}

func (s metaspace) normalize(t *text) error {
	if bytes.IndexByte(t.b, ' ') >= 0 {
		mapRunes(t, func(r rune) rune {
			if r == ' ' {
				return s.replacement
			}
			return r
		})
	}
	first, _ := utf8.DecodeRune(t.b)
	if s.scheme == prependAlways || s.scheme == prependFirst && t.start == 0 {
		if len(t.b) > 0 && first != s.replacement {
			return prepend(string(s.replacement)).normalize(t)
		}
	}
	return nil
}
