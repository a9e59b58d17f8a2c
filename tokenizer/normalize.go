package tokenizer

import (
	"bytes"
	"unicode/utf8"
)

// normalizers work one after another.
type normalizers []normalizer

func (s normalizers) normalize(t *text) error {
	for _, n := range s {
		if err := n.normalize(t); err != nil {
			return err
		}
		if len(t.b) > t.most {
			return errGrown
		}
	}
	return nil
}

// asciiRun returns how many characters of ASCII b begins with.
func asciiRun(b []byte) int {
	for i, c := range b {
		if c >= utf8.RuneSelf {
			return i
		}
	}
	return len(b)
}

// mapRunes changes characters one by one; gone stands for one that is removed.
func mapRunes(t *text, change func(r rune) rune) {
	// Nothing is written before the first change.
	at := 0
	for at < len(t.b) {
		r, n := utf8.DecodeRune(t.b[at:])
		if change(r) != r {
			break
		}
		at += n
	}
	if at == len(t.b) {
		return
	}
	t.edit()
	t.keep(at)
	for t.at < len(t.b) {
		r, n := utf8.DecodeRune(t.rest())
		switch c := change(r); c {
		case r:
			t.keep(n)
		case gone:
			t.drop(n)
		default:
			t.put(c, n)
		}
	}
	t.done()
}

const gone = -1

// lowercase makes letters small, one by one: a final sigma is a sigma.
type lowercase struct{}

func (lowercase) normalize(t *text) error {
	if !bytes.Contains(t.b, []byte("İ")) {
		mapRunes(t, lower)
		return nil
	}
	t.edit()
	for t.at < len(t.b) {
		r, n := utf8.DecodeRune(t.rest())
		if r == 'İ' {
			t.put('i', n)
			t.add('\u0307')
		} else {
			t.put(lower(r), n)
		}
	}
	t.done()
	return nil
}

// stripAccents removes combining marks.
type stripAccents struct{}

func (stripAccents) normalize(t *text) error {
	if asciiRun(t.b) < len(t.b) {
		mapRunes(t, func(r rune) rune {
			if isMark(r) {
				return gone
			}
			return r
		})
	}
	return nil
}

// nmt is what SentencePiece's normalization for translation does besides NFKC.
type nmt struct{}

func (nmt) normalize(t *text) error {
	mapRunes(t, func(r rune) rune {
		switch {
		case 1 <= r && r <= 8, r == 0xb, 0xe <= r && r <= 0x1f, r == 0x7f, r == 0x8f, r == 0x9f:
			return gone
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, 0x200b <= r && r <= 0x200f, r == 0x2028, r == 0x2029,
			r == '▁', r == 0xfeff, r == 0xfffd:
			return ' '
		}
		return r
	})
	return nil
}

// strip removes white space at the ends.
type strip struct{ left, right bool }

func (s strip) normalize(t *text) error {
	kept := t.b
	if s.left {
		kept = bytes.TrimLeftFunc(kept, isSpace)
	}
	from := len(t.b) - len(kept)
	if s.right {
		kept = bytes.TrimRightFunc(kept, isSpace)
	}
	t.b = t.b[from : from+len(kept)]
	if t.aligned {
		t.align = t.align[from : from+len(kept)]
	}
	return nil
}

// prepend puts something before a text that is not empty. It stands for what the text's
// first character stands for.
type prepend string

func (p prepend) normalize(t *text) error {
	if len(t.b) == 0 || p == "" {
		return nil
	}
	_, n := utf8.DecodeRune(t.b)
	t.edit()
	for _, r := range p {
		t.put(r, 0)
	}
	t.keep(n)
	t.keep(len(t.rest()))
	t.done()
	return nil
}

// replace puts content in the place of each match. It stands for what the last character
// of the match stands for.
type replace struct {
	pattern *pattern
	content string
}

func (n replace) normalize(t *text) error {
	edited := false
	err := n.pattern.each(t.b, func(from, to int) {
		if !edited {
			edited = true
			t.edit()
		}
		t.keep(from - t.at)
		t.drop(to - from)
		for _, r := range n.content {
			t.add(r)
		}
	})
	if edited {
		t.keep(len(t.rest()))
		t.done()
	}
	return err
}

// byteAlphabet writes bytes in the alphabet of byte-level tokenizers.
type byteAlphabet struct{ chars [256]rune }

func newByteAlphabet() byteAlphabet { return byteAlphabet{byteChars()} }

func (a byteAlphabet) normalize(t *text) error {
	if len(t.b) == 0 {
		return nil
	}
	t.edit()
	for _, c := range t.b {
		t.put(a.chars[c], 1)
	}
	t.done()
	return nil
}
