package textclean

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// A charset is a single-byte encoding that text may wrongly have been read in.
type charset struct {
	chars *charmap.Charmap // nil is Latin-1
	// sloppy charsets have byte 1A for U+FFFD, so that a character lost earlier
	// keeps its place.
	sloppy bool
	// dashes: a byte of this charset is so often an en dash before a space
	// that the space must not be taken for a lost no-break space.
	dashes bool
}

// charsets are listed in the order in which they are tried.
var charsets = [...]charset{
	{chars: nil},
	{chars: charmap.Windows1252, sloppy: true},
	{chars: charmap.Windows1251, sloppy: true},
	{chars: charmap.Windows1250, sloppy: true},
	{chars: charmap.Windows1253, sloppy: true},
	{chars: charmap.Windows1254, sloppy: true},
	{chars: charmap.Windows1257, sloppy: true},
	{chars: charmap.ISO8859_2},
	{chars: charmap.Macintosh, dashes: true},
	{chars: charmap.CodePage437},
}

// latinLike counts the first of charsets, those that agree with Latin-1 on
// where accented letters lie.
const latinLike = 7

const substitute = 0x1a

// encode returns s in the charset; ok is false if s has a character that the
// charset lacks.
func (c *charset) encode(s string) (b []byte, ok bool) {
	b = make([]byte, 0, len(s))
	for _, r := range s {
		x, ok := c.encodeRune(r)
		if !ok {
			return nil, false
		}
		b = append(b, x)
	}
	return b, true
}

func (c *charset) encodeRune(r rune) (b byte, ok bool) {
	switch {
	case r == substitute && c.sloppy:
		return 0, false
	case r < utf8.RuneSelf:
		return byte(r), true
	case r == utf8.RuneError:
		return substitute, c.sloppy
	case c.chars == nil:
		return byte(r), r <= 0xff
	}
	if b, ok := c.chars.EncodeRune(r); ok {
		return b, true
	}
	return byte(r), r <= 0xff && c.decode(byte(r)) == r
}

// decode returns the character of a byte beyond ASCII. Bytes that the charset
// leaves undefined stand for the code points of the same number, as in browsers.
func (c *charset) decode(b byte) rune {
	if c.chars == nil {
		return rune(b)
	}
	if r := c.chars.DecodeByte(b); r != utf8.RuneError {
		return r
	}
	return rune(b)
}

// windows1252 returns what Windows-1252 has in the place of r, a C1 control
// character: five of them remain what they are.
func windows1252(r rune) rune { return charsets[1].decode(byte(r)) }
