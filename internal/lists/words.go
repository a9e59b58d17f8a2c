package lists

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Words is what a label says: in Unicode's composed form (NFC), with spaces for
// underscores, one space where there are several, none before a comma and one behind it
// unless digits stand on both its sides. It is how a label is put into a prompt, and two
// labels of the same words are one class. A label of underscores alone stays.
func Words(label string) string {
	label = norm.NFC.String(label)
	apart := func(r rune) bool { return r == '_' || unicode.IsSpace(r) }
	words := strings.Join(strings.FieldsFunc(label, apart), " ")
	if words == "" {
		return strings.TrimSpace(label)
	}
	if !strings.Contains(words, ",") {
		return words
	}
	var b strings.Builder
	for i, part := range strings.Split(words, ",") {
		if i == 0 {
			b.WriteString(strings.TrimRight(part, " "))
			continue
		}
		before, _ := utf8.DecodeLastRuneInString(b.String())
		after, _ := utf8.DecodeRuneInString(part)
		b.WriteByte(',')
		part = strings.Trim(part, " ")
		if part != "" && !(unicode.IsDigit(before) && unicode.IsDigit(after)) {
			b.WriteByte(' ')
		}
		b.WriteString(part)
	}
	return b.String()
}

// Key is [Words], or with verbatim the label itself: labels of one key are one class.
func Key(label string, verbatim bool) string {
	if verbatim {
		return label
	}
	return Words(label)
}
