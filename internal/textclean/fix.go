// Package textclean repairs and normalises captions before tokenization.
//
// [Fix] follows the rules of ftfy 6.3.1 (Robyn Speer, Apache-2.0), which CLIP's
// tokenizers call first: text decoded with the wrong encoding is detected and
// decoded again, HTML entities are resolved, curly quotes, Latin ligatures,
// full- and half-width forms, line breaks and control characters are reduced to
// plain ones, and the result is in Unicode's normalization form C. The rest of
// the package is what those tokenizers take from Python's own library, with
// Python's results: [UnescapeHTML], [CollapseSpace], [Lower].
//
// All functions are safe for concurrent use.
package textclean

import (
	"strings"
	"unicode/utf8"
)

// segmentLength bounds, in code points, the stretch of text that is repaired
// as one; lines are repaired apart from each other in any case.
const segmentLength = 1_000_000

// Fix repairs s line by line until no rule changes it any more.
//
// Bytes of s that are not valid UTF-8 are read as U+FFFD first, as by [Valid].
// Each round is linear in the length of the line. A text crafted to need round
// after round, such as "&amp;amp;amp;…", is given up on when the rounds have
// together read [workLimit] bytes: Fix then returns what it has so far.
func Fix(s string) string {
	if isPlain(s) {
		return s
	}
	s = Valid(s)
	f := fixer{work: workLimit, entities: true}
	var b strings.Builder
	for len(s) > 0 {
		n := segment(s)
		// A literal "<" suggests real markup, whose entities are meant; this
		// holds for the segments that follow, too.
		f.entities = f.entities && !strings.Contains(s[:n], "<")
		b.WriteString(f.fix(s[:n]))
		s = s[n:]
	}
	return b.String()
}

// segment returns the length in bytes of the first segment of s: up to and
// with the first "\n", but no more than segmentLength code points.
func segment(s string) int {
	n := strings.IndexByte(s, '\n') + 1
	if n == 0 {
		n = len(s)
	}
	if n <= segmentLength {
		return n
	}
	count := 0
	for i := range s[:n] {
		if count == segmentLength {
			return i
		}
		count++
	}
	return n
}

// workLimit is how many bytes the rounds of one [Fix] may read beyond the
// first round of each segment.
const workLimit = 4 << 20

type fixer struct {
	work     int  // bytes left
	entities bool // resolve HTML entities
}

// spend reports whether another round over n bytes is affordable.
func (f *fixer) spend(n int) bool {
	f.work -= n
	return f.work >= 0
}

func (f *fixer) fix(s string) string {
	for {
		before := s
		if f.entities {
			s = resolveEntities(s)
		}
		s = f.fixEncoding(s)
		s = plainCharacters(s)
		s = dropEscapes(s)
		s = dropControls(s)
		s = NFC(s)
		if s == before || !f.spend(len(s)) {
			return s
		}
	}
}

// isPlain reports whether s is ASCII in which [Fix] has nothing to change.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= utf8.RuneSelf, c == '&', c == 0x7f:
			return false
		case c < ' ' && c != '\t' && c != '\n' && c != '\f':
			return false
		}
	}
	return true
}

// isASCII reports whether s holds ASCII bytes only.
func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
