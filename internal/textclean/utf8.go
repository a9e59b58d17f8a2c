package textclean

import (
	"strings"
	"unicode/utf8"
)

// Valid returns s with each ill-formed sequence replaced by one U+FFFD. An
// ill-formed sequence is a "maximal subpart" in the sense of the Unicode
// standard, 3.9: the start of a character that is cut short counts once, a byte
// that can start nothing counts by itself. Python's errors="replace" and web
// browsers do the same. Surrogates encoded as three bytes are ill-formed.
func Valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			n = illFormed(s)
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String()
}

// illFormed returns the length of the maximal subpart that starts s, where s
// does not start with a character.
func illFormed(s string) int {
	size, low, high := 0, byte(0x80), byte(0xbf) // of the second byte
	switch c := s[0]; {
	case 0xc2 <= c && c <= 0xdf:
		size = 2
	case 0xe0 <= c && c <= 0xef:
		size = 3
		if c == 0xe0 {
			low = 0xa0
		}
		if c == 0xed {
			high = 0x9f
		}
	case 0xf0 <= c && c <= 0xf4:
		size = 4
		if c == 0xf0 {
			low = 0x90
		}
		if c == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for n < size && n < len(s) && low <= s[n] && s[n] <= high {
		low, high = 0x80, 0xbf
		n++
	}
	return n
}

// decodeVariants decodes UTF-8 in which NUL may be two bytes, C0 80, as Java
// writes it, and characters beyond U+FFFF may be pairs of surrogates of three
// bytes each (CESU-8). ok is false where b is neither that nor UTF-8.
//
// A line break that ends b may stand for the last byte of either form. That is
// a slip of the reference ("$" in a Python pattern also matches before a final
// line break), and its results are the measure.
func decodeVariants(b []byte) (s string, ok bool) {
	if utf8.Valid(b) {
		return string(b), true
	}
	var out strings.Builder
	for len(b) > 0 {
		if r, n := utf8.DecodeRune(b); r != utf8.RuneError || n > 1 {
			out.WriteRune(r)
			b = b[n:]
			continue
		}
		r, n := decodeVariant(b)
		if n == 0 {
			return "", false
		}
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String(), true
}

// decodeVariant decodes one character that is not UTF-8; n is 0 if it is no
// variant either.
func decodeVariant(b []byte) (r rune, n int) {
	finalBreak := func(i int) bool { return i == len(b)-1 && b[i] == '\n' }
	switch {
	case len(b) >= 2 && b[0] == 0xc0 && (b[1] == 0x80 || finalBreak(1)):
		return 0, 2
	case len(b) >= 6 && b[0] == 0xed && b[1]&0xf0 == 0xa0 && b[2]&0xc0 == 0x80 &&
		b[3] == 0xed && b[4]&0xf0 == 0xb0 && (b[5]&0xc0 == 0x80 || finalBreak(5)):
		high := rune(b[1]&0x0f)<<6 | rune(b[2]&0x3f)
		low := rune(b[4]&0x0f)<<6 | rune(b[5]&0x3f)
		return 0x10000 + high<<10 + low, 6
	}
	return 0, 0
}
