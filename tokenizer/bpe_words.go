package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// nextWord cuts the first word off s and returns it with what follows it; word
// is "" when none is left. It matches the pattern of CLIP's tokenizer,
//
//	special tokens|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
//
// ignoring case: English endings, runs of letters, single digits, and runs of
// anything else that is not white space.
func nextWord(s string, specials *[2]string) (word, rest string) {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch kindOf(r) {
		case gap:
			s = s[n:]
			continue
		case letter:
			n += runLength(s[n:], letter)
		case other:
			if m := fixedWord(s, specials); m > 0 {
				n = m
			} else {
				n += runLength(s[n:], other)
			}
		}
		return s[:n], s[n:]
	}
	return "", ""
}

// fixedWord returns the length of the special token or English ending that s
// starts with, or 0.
func fixedWord(s string, specials *[2]string) int {
	switch s[0] {
	case '<':
		return max(foldedPrefix(s, specials[0]), foldedPrefix(s, specials[1]))
	case '\'':
		for _, ending := range [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
			if n := foldedPrefix(s, ending); n > 0 {
				return n
			}
		}
	}
	return 0
}

// foldedPrefix returns the length of the start of s that equals p, which is
// ASCII in lower case, but for case; or 0. Unicode's long s is an s, too.
func foldedPrefix(s, p string) int {
	n := 0
	for i := range len(p) {
		switch {
		case n < len(s) && (s[n] == p[i] || 'a' <= p[i] && p[i] <= 'z' && s[n]|0x20 == p[i]):
			n++
		case p[i] == 's' && strings.HasPrefix(s[n:], "ſ"):
			n += len("ſ")
		default:
			return 0
		}
	}
	return n
}

// A kind of character, as words are made of them.
type kind uint8

const (
	other kind = iota
	letter
	number
	gap
)

func kindOf(r rune) kind {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
		return letter
	case '0' <= r && r <= '9':
		return number
	case r == ' ', '\t' <= r && r <= '\r':
		return gap
	case r < utf8.RuneSelf:
		return other
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.Is(unicode.White_Space, r):
		return gap
	case r == '\u0345':
		// The combining iota is no letter, but the capital of one: where case
		// is ignored, the pattern takes it neither for a letter nor for not one.
		return gap
	}
	return other
}

// runLength returns the length of the run of k that s starts with.
func runLength(s string, k kind) int {
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if kindOf(r) != k {
			break
		}
		n += size
	}
	return n
}
