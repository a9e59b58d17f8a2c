package textclean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsSpace reports whether r is a space to Python's str methods and regular
// expressions: Unicode's white space and four separators of ASCII.
func IsSpace(r rune) bool {
	return 0x1c <= r && r <= 0x1f || unicode.Is(unicode.White_Space, r)
}

// CollapseSpace replaces each run of white space in s by one space and removes
// it from the ends.
func CollapseSpace(s string) string {
	if isCollapsed(s) {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, IsSpace), " ")
}

// isCollapsed reports whether s is certainly what [CollapseSpace] makes of it.
func isCollapsed(s string) bool {
	before := byte(' ')
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c >= utf8.RuneSelf || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return before != ' ' || s == ""
}

// Lower returns s in lower case as Python's str.lower does: by Unicode's full
// mapping, in which İ becomes two code points and a sigma depends on where in a
// word it stands, in no particular language.
func Lower(s string) string {
	if !strings.ContainsAny(s, "İΣ") {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i, r := range s {
		switch {
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && isFinal(s[:i], s[i+len("Σ"):]):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// LowerEach returns s in lower case, character by character, so that every sigma
// becomes σ.
func LowerEach(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, "İ", "i\u0307"))
}

// isFinal reports whether a sigma between the two texts ends a word. Unicode
// standard, table 3-17, Final_Sigma.
func isFinal(before, after string) bool {
	r, n := utf8.DecodeLastRuneInString(before)
	for n > 0 && isCaseIgnorable(r) {
		before = before[:len(before)-n]
		r, n = utf8.DecodeLastRuneInString(before)
	}
	if n == 0 || !isCased(r) {
		return false
	}
	for _, r := range after {
		if !isCaseIgnorable(r) {
			return !isCased(r)
		}
	}
	return true
}

func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// isCaseIgnorable implements Unicode's Case_Ignorable: modifiers, marks, format
// characters, and the punctuation that may stand inside a word.
func isCaseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r)
}
