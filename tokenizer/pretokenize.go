package tokenizer

import (
	"unicode/utf8"

	"github.com/goclip/goclip/internal/enum"
)

// preTokenizers work one after another.
type preTokenizers []preTokenizer

func (s preTokenizers) split(p *pieces) error {
	for _, n := range s {
		if err := n.split(p); err != nil {
			return err
		}
	}
	return nil
}

// behavior says what becomes of delimiters.
type behavior uint8

const (
	removed behavior = 1 + iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous
)

func behaviorNames() map[behavior]string {
	return map[behavior]string{removed: "Removed", isolated: "Isolated", mergedWithPrevious: "MergedWithPrevious",
		mergedWithNext: "MergedWithNext", contiguous: "Contiguous"}
}

func (b *behavior) UnmarshalText(text []byte) error { return enum.Unmarshal(b, text, behaviorNames()) }

// A cutter makes spans of a piece in the order of the text, each a delimiter or not, and
// joins them as the behavior says.
type cutter struct {
	spans    []span
	behavior behavior
	inverted bool // delimiters are what is not said to be
	end      int  // of the last span
	before   bool // the last one was a delimiter
}

// delimiter notes a delimiter, and what lies before it as something else.
func (c *cutter) delimiter(from, to int) {
	if c.end < from {
		c.add(c.end, from, c.inverted)
	}
	c.add(from, to, !c.inverted)
	c.end = to
}

// rest notes what is left of n bytes.
func (c *cutter) rest(n int) {
	if c.end < n {
		c.add(c.end, n, c.inverted)
	}
	if c.behavior == mergedWithNext {
		c.mergeForward()
	}
}

func (c *cutter) add(from, to int, delimiter bool) {
	s := span{int32(from), int32(to)}
	last := len(c.spans) - 1
	switch {
	case c.behavior == removed && delimiter:
		return
	case c.behavior == contiguous && delimiter == c.before && last >= 0,
		c.behavior == mergedWithPrevious && delimiter && !c.before && last >= 0:
		c.spans[last].to = s.to
	case c.behavior == mergedWithNext && delimiter:
		// The sign is taken off in mergeForward, which goes from back to front.
		c.spans = append(c.spans, span{^s.from, s.to})
	default:
		c.spans = append(c.spans, s)
	}
	c.before = delimiter
}

// mergeForward joins each delimiter with what follows, unless that is one, too.
func (c *cutter) mergeForward() {
	out, before := len(c.spans), false
	for i := len(c.spans) - 1; i >= 0; i-- {
		s := c.spans[i]
		delimiter := s.from < 0
		if delimiter {
			s.from = ^s.from
		}
		if delimiter && !before && out < len(c.spans) {
			c.spans[out].from = s.from
		} else {
			out--
			c.spans[out] = s
		}
		before = delimiter
	}
	c.spans = c.spans[:copy(c.spans, c.spans[out:])]
}

// splitRunes splits at characters.
type splitRunes struct {
	behavior  behavior
	delimiter func(r rune) bool
}

func (s splitRunes) split(p *pieces) error {
	p.split(func(cuts []span, b []byte) []span {
		c := cutter{spans: cuts, behavior: s.behavior}
		for at := 0; at < len(b); {
			r, n := rune(b[at]), 1
			if r >= utf8.RuneSelf {
				r, n = utf8.DecodeRune(b[at:])
			}
			if s.delimiter(r) {
				c.delimiter(at, at+n)
			}
			at += n
		}
		c.rest(len(b))
		return c.spans
	})
	return nil
}

// splitPattern splits at matches.
type splitPattern struct {
	pattern  *pattern
	behavior behavior
	inverted bool
}

func (s splitPattern) split(p *pieces) (err error) {
	p.split(func(cuts []span, b []byte) []span {
		c := cutter{spans: cuts, behavior: s.behavior, inverted: s.inverted}
		if e := s.pattern.each(b, c.delimiter); e != nil {
			err = e
		}
		c.rest(len(b))
		return c.spans
	})
	return err
}

// splitClasses cuts runs of characters of one class, and leaves those of class 0 out. What
// is single stands alone.
type splitClasses struct {
	class  func(r rune) uint8
	single uint8
}

func (s splitClasses) split(p *pieces) error {
	p.split(func(cuts []span, b []byte) []span {
		before := uint8(0)
		for at := 0; at < len(b); {
			r, n := rune(b[at]), 1
			if r >= utf8.RuneSelf {
				r, n = utf8.DecodeRune(b[at:])
			}
			class := s.class(r)
			switch {
			case class == 0:
			case class == before && class != s.single:
				cuts[len(cuts)-1].to = int32(at + n)
			default:
				cuts = append(cuts, span{int32(at), int32(at + n)})
			}
			before = class
			at += n
		}
		return cuts
	})
	return nil
}

// The classes of the two pre-tokenizers below.
const (
	classWord  = 1
	classOther = 2
)

// whitespaceWords is Whitespace: runs of letters and digits, and runs of what is neither
// that nor white space.
func whitespaceWords() preTokenizer {
	return splitClasses{class: func(r rune) uint8 {
		switch {
		case isWord(r):
			return classWord
		case isSpace(r):
			return 0
		}
		return classOther
	}}
}

// bertWords is BERT's: white space separates, punctuation stands alone.
func bertWords() preTokenizer {
	return splitClasses{single: classOther, class: func(r rune) uint8 {
		switch {
		case 'a' <= r && r <= 'z':
			return classWord
		case isSpace(r):
			return 0
		case isPunctuation(r):
			return classOther
		}
		return classWord
	}}
}

// unicodeScripts cuts where the script changes. Japanese is one script with Chinese, and a
// space goes with any.
type unicodeScripts struct{}

func (unicodeScripts) split(p *pieces) error {
	p.split(func(cuts []span, b []byte) []span {
		from, known := -1, false
		before := uint8(0)
		for at := 0; at < len(b); {
			r, n := utf8.DecodeRune(b[at:])
			script := scriptOf(r)
			// Before the first script all is one, and what stands there is lost.
			if script != 0 && (!known || before != script) {
				if from >= 0 {
					cuts = append(cuts, span{int32(from), int32(at)})
				}
				from = at
			}
			if script != 0 {
				before, known = script, true
			}
			at += n
		}
		if from >= 0 {
			cuts = append(cuts, span{int32(from), int32(len(b))})
		}
		return cuts
	})
	return nil
}

// fixedLength cuts pieces of so many characters.
type fixedLength int

func (s fixedLength) split(p *pieces) error {
	p.split(func(cuts []span, b []byte) []span {
		from, count := 0, 0
		for at := 0; at < len(b); {
			_, n := utf8.DecodeRune(b[at:])
			at += n
			if count++; count == int(s) || at == len(b) {
				cuts = append(cuts, span{int32(from), int32(at)})
				from, count = at, 0
			}
		}
		return cuts
	})
	return nil
}
