package tokenizer

import (
	"strings"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/textclean"
)

// Clean says what is done to a caption before it is split into words. In every
// mode but [CleanNone] mojibake is repaired and plain forms replace typographic ones (by ftfy's
// rules), HTML's character references are resolved, and runs of white space
// become one space. What a letter, a number or a space is, is up to the Unicode
// version of the Go release, 15.0 for Go 1.26. The zero value means CleanLower.
type Clean uint8

// The ways of cleaning, by the names that configurations give them.
const (
	// CleanLower, "lower", also lower-cases. All of OpenAI's models use it.
	CleanLower Clean = 1 + iota
	// CleanWhitespace, "whitespace", does no more.
	CleanWhitespace
	// CleanCanonicalize, "canonicalize", also lower-cases, turns "_" into a space
	// and removes the rest of ASCII's punctuation.
	CleanCanonicalize
	// CleanUnderscore, "whitespace_underscore", also turns "_" into a space.
	CleanUnderscore
	// CleanNone, "none", leaves captions as they are, mojibake included.
	CleanNone
)

func cleanNames() map[Clean]string {
	return map[Clean]string{
		CleanLower: "lower", CleanWhitespace: "whitespace", CleanCanonicalize: "canonicalize",
		CleanUnderscore: "whitespace_underscore", CleanNone: "none",
	}
}

// String returns the name of c.
func (c Clean) String() string { return enum.String(c, cleanNames()) }

// MarshalText returns the name of c.
func (c Clean) MarshalText() ([]byte, error) { return enum.Marshal(c, cleanNames()) }

// UnmarshalText reads a name.
func (c *Clean) UnmarshalText(text []byte) error { return enum.Unmarshal(c, text, cleanNames()) }

// Text returns s cleaned. Bytes that are not UTF-8 are read as U+FFFD, one for
// each character cut short and for each other stray byte.
func (c Clean) Text(s string) string {
	if c == CleanNone {
		return s
	}
	s = textclean.Fix(s)
	s = textclean.UnescapeHTML(textclean.UnescapeHTML(s))
	switch c {
	case CleanWhitespace:
		return textclean.CollapseSpace(s)
	case CleanUnderscore:
		return textclean.CollapseSpace(strings.ReplaceAll(s, "_", " "))
	case CleanCanonicalize:
		s = textclean.Lower(strings.Map(dropPunctuation, s))
		return textclean.CollapseSpace(s)
	}
	return textclean.Lower(textclean.CollapseSpace(s))
}

func dropPunctuation(r rune) rune {
	switch {
	case r == '_':
		return ' '
	case '!' <= r && r <= '/', ':' <= r && r <= '@', '[' <= r && r <= '`', '{' <= r && r <= '~':
		return -1
	}
	return r
}
