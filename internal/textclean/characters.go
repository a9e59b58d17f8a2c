package textclean

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// plainCharacters replaces characters of s that merely look different from
// plain ones: C1 control characters, Latin ligatures, full- and half-width
// forms, curly quotes, and all forms of line breaks.
func plainCharacters(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf && s[i] != '\r' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		plain, changed := plainCharacter(r)
		if changed {
			b.WriteString(s[done:i])
			if r == '\r' && strings.HasPrefix(s[i:], "\r\n") {
				n = 2
			}
			b.WriteString(plain)
			done = i + n
		}
		i += n
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// plainCharacter returns the plain form of r, if it has one.
func plainCharacter(r rune) (plain string, changed bool) {
	if 0x80 <= r && r <= 0x9f {
		if w := windows1252(r); w != r {
			if plain, changed = plainCharacter(w); !changed {
				plain = string(w)
			}
			return plain, true
		}
	}
	switch {
	case r == '\r', r == '\u2028', r == '\u2029':
		return "\n", true
	case '\u2018' <= r && r <= '\u201b', r == '\u02bc':
		return "'", true
	case '\u201c' <= r && r <= '\u201f':
		return `"`, true
	case r == '\u3000':
		return " ", true
	case '\uff01' <= r && r <= '\uffef':
		plain = norm.NFKC.String(string(r))
		return plain, plain != string(r)
	}
	plain = ligature(r)
	return plain, plain != ""
}

// ligature returns the letters that a Latin ligature, or one of the digraphs
// that old encodings had as one character, is made of. Letters in their own
// right such as æ are left alone.
func ligature(r rune) string {
	switch r {
	case 'Ĳ':
		return "IJ"
	case 'ĳ':
		return "ij"
	case 'ŉ':
		return "'n"
	case 'Ǳ':
		return "DZ"
	case 'ǲ':
		return "Dz"
	case 'ǳ':
		return "dz"
	case 'Ǆ':
		return "DŽ"
	case 'ǅ':
		return "Dž"
	case 'ǆ':
		return "dž"
	case 'Ǉ':
		return "LJ"
	case 'ǈ':
		return "Lj"
	case 'ǉ':
		return "lj"
	case 'Ǌ':
		return "NJ"
	case 'ǋ':
		return "Nj"
	case 'ǌ':
		return "nj"
	case 'ﬀ':
		return "ff"
	case 'ﬁ':
		return "fi"
	case 'ﬂ':
		return "fl"
	case 'ﬃ':
		return "ffi"
	case 'ﬄ':
		return "ffl"
	case 'ﬅ':
		return "ſt"
	case 'ﬆ':
		return "st"
	}
	return ""
}

// dropEscapes removes the terminal's escape sequences: ESC, "[", digits and
// semicolons, a letter.
func dropEscapes(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if n := escape(s); n > 0 {
			s = s[n:]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// escape returns the length of the escape sequence that s starts with, or 0.
func escape(s string) int {
	parameters, ok := strings.CutPrefix(s, "\x1b[")
	if !ok {
		return 0
	}
	rest := strings.TrimLeftFunc(parameters, func(r rune) bool { return r == ';' || unicode.IsDigit(r) })
	if rest == "" || !isLatin(rest[0]) {
		return 0
	}
	return len(s) - len(rest) + 1
}

func isLatin(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// dropControls removes control characters that have no visible effect: those
// of ASCII but for tab, line break, form feed and carriage return; the
// deprecated ones for Arabic; interlinear annotations; the object replacement
// character; the byte order mark.
func dropControls(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' && r != '\t' && r != '\n' && r != '\f' && r != '\r',
			r == 0x7f,
			0x206a <= r && r <= 0x206f,
			r == 0xfeff,
			0xfff9 <= r && r <= 0xfffc:
			return -1
		}
		return r
	}, s)
}
