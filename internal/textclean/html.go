package textclean

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// UnescapeHTML replaces HTML's character references by the characters they
// stand for, as Python's html.unescape does: names may lack their semicolon
// where HTML 5 allows it, even in front of other letters; numbers of control
// characters and noncharacters vanish; impossible numbers become U+FFFD.
func UnescapeHTML(s string) string {
	return replaceReferences(s, func(s string) (string, int) {
		if strings.HasPrefix(s, "&#") {
			return numericReference(s)
		}
		n := referenceLength(s, longestName)
		return unescapeName(s[:n]), n
	})
}

// unescapeName resolves a named reference. The standard library has HTML 5's
// table but for two names, whose characters are longer than themselves.
func unescapeName(reference string) string {
	switch reference {
	case "&nLt;":
		return "≪\u20d2"
	case "&nGt;":
		return "≫\u20d2"
	}
	return html.UnescapeString(reference)
}

const (
	longestName     = 32 // letters that UnescapeHTML looks at
	longestAutoName = 24 // letters and digits that resolveEntities looks at
)

// replaceReferences replaces what replace finds at each "&" of s: n bytes, or
// none.
func replaceReferences(s string, replace func(string) (with string, n int)) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		amp := strings.IndexByte(s[i:], '&')
		if amp < 0 {
			break
		}
		i += amp
		with, n := replace(s[i:])
		if n == 0 {
			i++
			continue
		}
		b.WriteString(s[done:i])
		b.WriteString(with)
		i += n
		done = i
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// referenceLength returns the length of "&", up to limit letters and digits,
// and ";" if that follows.
func referenceLength(s string, limit int) int {
	n := 1
	for n < len(s) && n <= limit && (isLatin(s[n]) || isDigit(s[n])) {
		n++
	}
	if n < len(s) && s[n] == ';' {
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// numericReference reads the reference that starts s, "&#65;" or "&#x41;", with
// or without semicolon; n is 0 if there is none.
func numericReference(s string) (char string, n int) {
	n = len("&#")
	base, digit := rune(10), isDigit
	if n < len(s) && (s[n] == 'x' || s[n] == 'X') {
		n++
		base, digit = 16, func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
	}
	start, value := n, rune(0)
	for ; n < len(s) && digit(s[n]); n++ {
		d := rune(s[n] - '0')
		if !isDigit(s[n]) {
			d = rune(s[n]|0x20-'a') + 10
		}
		value = min(value*base+d, unicode.MaxRune+1)
	}
	if n == start {
		return "", 0
	}
	if n < len(s) && s[n] == ';' {
		n++
	}
	return numbered(value), n
}

// numbered returns the text for a character's number.
func numbered(r rune) string {
	switch {
	case r == '\r':
		return "\r"
	case 0x80 <= r && r <= 0x9f:
		return string(windows1252(r))
	case r == 0, r > unicode.MaxRune, 0xd800 <= r && r <= 0xdfff:
		return string(utf8.RuneError)
	case r < ' ' && r != '\t' && r != '\n' && r != '\f', r == 0x7f,
		0xfdd0 <= r && r <= 0xfdef, r&0xfffe == 0xfffe:
		return ""
	}
	return string(r)
}

// resolveEntities replaces the character references of s that are certainly
// meant as such: those that end in a semicolon. Names that have been written
// in capitals throughout count if that makes no other name; the characters
// become capitals, too.
func resolveEntities(s string) string {
	return replaceReferences(s, func(s string) (string, int) {
		if strings.HasPrefix(s, "&#") {
			return closedNumber(s)
		}
		n := referenceLength(s, longestAutoName)
		if n < 3 || s[n-1] != ';' {
			return "", 0
		}
		if char := entity(s[:n]); char != "" {
			return char, n
		}
		if char := capitalEntity(s[:n]); char != "" {
			return char, n
		}
		return "", 0
	})
}

// closedNumber is numericReference for a number with its semicolon. A
// reference that gives a semicolon is left alone, as in the reference.
func closedNumber(s string) (char string, n int) {
	const limit = len("&#") + longestAutoName + len(";")
	char, n = numericReference(s[:min(len(s), limit)])
	if n == 0 || s[n-1] != ';' || char == ";" {
		return "", 0
	}
	return char, n
}

// entity returns the text of an entity written in full, "&name;", or "".
func entity(reference string) string {
	char := unescapeName(reference)
	if char == reference || len(char) > 1 && strings.HasSuffix(char, ";") {
		return "" // nothing, or only a shorter name, was recognised
	}
	return char
}

// capitalEntity is [entity] for names such as "&EACUTE;".
func capitalEntity(reference string) string {
	small := strings.ToLower(reference)
	if strings.ToUpper(reference) != reference || unescapeName(reference) != reference {
		return ""
	}
	char := entity(small)
	switch char {
	case "ß":
		return "SS"
	case "ŉ":
		return "ʼN"
	}
	if r, _ := utf8.DecodeRuneInString(char); r >= 'ﬀ' {
		if letters := ligature(r); letters != "" {
			return strings.ToUpper(letters)
		}
	}
	return strings.ToUpper(char)
}
