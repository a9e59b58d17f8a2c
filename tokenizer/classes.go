package tokenizer

import (
	"sort"
	"unicode"
)

// What characters are, in the eyes of the tokenizers library. It looks them up in tables of
// several versions of Unicode, and so does this file: classes_table.go is measured.

// A category is a general category of Unicode, as in regular expressions; 0 is that of
// code points that stand for nothing.
type category uint8

// The categories in the order of the table, and of categoryNames.
const (
	catLu category = 1 + iota
	catLl
	catLt
	catLm
	catLo
	catMn
	catMc
	catMe
	catNd
	catNl
	catNo
	catPc
	catPd
	catPs
	catPe
	catPi
	catPf
	catPo
	catSm
	catSc
	catSk
	catSo
	catZs
	catZl
	catZp
	catCc
	catCf
	catCo
)

func categoryNames() []string {
	return []string{"Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf",
		"Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co"}
}

// The planes of private use, which the tables do not reach.
const privatePlanes = 0xF0000

func categoryOf(r rune) category {
	if r >= privatePlanes {
		if r&0xFFFF < 0xFFFE {
			return catCo
		}
		return 0
	}
	return category(runOf(categoryRuns[:], r))
}

// runOf returns the number of the run that r is in.
func runOf(runs []uint32, r rune) uint8 {
	at := sort.Search(len(runs), func(i int) bool { return rune(runs[i]>>8) > r })
	return uint8(runs[at-1])
}

// inRanges reports whether r is in one of the ranges, of which first and last alternate.
func inRanges(ranges []uint32, r rune) bool {
	at := sort.Search(len(ranges)/2, func(i int) bool { return rune(ranges[2*i+1]) >= r })
	return 2*at < len(ranges) && rune(ranges[2*at]) <= r
}

func (c category) punctuation() bool { return catPc <= c && c <= catPo }
func (c category) letter() bool      { return catLu <= c && c <= catLo }
func (c category) mark() bool        { return catMn <= c && c <= catMe }
func (c category) number() bool      { return catNd <= c && c <= catNo }
func (c category) control() bool     { return catCc <= c && c <= catCo }

func isSpace(r rune) bool { return unicode.IsSpace(r) }

// isPunctuation is BERT's: ASCII's symbols are punctuation, others are not.
func isPunctuation(r rune) bool {
	if r < 0x80 {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return categoryOf(r).punctuation() != inRanges(punctuationChanges[:], r)
}

// isMark is what StripAccents removes, isNonspacing what BertNormalizer does.
func isMark(r rune) bool {
	return r >= 0x300 && categoryOf(r).mark() != inRanges(markChanges[:], r)
}

func isNonspacing(r rune) bool {
	return r >= 0x300 && (categoryOf(r) == catMn) != inRanges(nonspacingChanges[:], r)
}

func isNumber(r rune) bool {
	if r < 0x80 {
		return '0' <= r && r <= '9'
	}
	return categoryOf(r).number() != inRanges(numberChanges[:], r)
}

// isControl is what BertNormalizer removes.
func isControl(r rune) bool {
	if r < 0x80 {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
	}
	return categoryOf(r).control() != inRanges(controlChanges[:], r)
}

// isWord is \w of Rust's regular expressions: what words of any language consist of.
func isWord(r rune) bool {
	if r < 0x80 {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
	}
	switch c := categoryOf(r); {
	case c.letter(), c.mark(), c == catNd, c == catNl, c == catPc:
		return true
	}
	return r == 0x200c || r == 0x200d || isCircled(r)
}

// isCircled is the symbols that Unicode counts as alphabetic: letters in circles and boxes.
func isCircled(r rune) bool {
	return 0x24b6 <= r && r <= 0x24e9 || 0x1f130 <= r && r <= 0x1f149 || 0x1f150 <= r && r <= 0x1f169 || 0x1f170 <= r && r <= 0x1f189
}

// isIdeograph is what BertNormalizer puts spaces around.
func isIdeograph(r rune) bool {
	switch {
	case r < 0x3400:
		return false
	case r <= 0x4dbf, 0x4e00 <= r && r <= 0x9fff, 0xf900 <= r && r <= 0xfaff:
		return true
	case 0x20000 <= r && r <= 0x2a6df, 0x2a700 <= r && r <= 0x2b81f, 0x2b920 <= r && r <= 0x2ceaf, 0x2f800 <= r && r <= 0x2fa1f:
		return true
	}
	return false
}

// lower is the small letter of a capital one. Only İ has a longer one: i and a dot above.
func lower(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	at := sort.Search(len(lowerSteps)/3, func(i int) bool { return rune(lowerSteps[3*i+1]) >= r })
	if 3*at == len(lowerSteps) {
		return r
	}
	first, step := rune(lowerSteps[3*at]&0xFFFFFF), rune(int32(lowerSteps[3*at+2]))
	second := rune(lowerSteps[3*at]>>24) & (r - first)
	if r < first || second&1 != 0 {
		return r
	}
	return r + step
}

// scriptOf is the script that UnicodeScripts goes by, 0 for what goes with any.
func scriptOf(r rune) uint8 {
	if r >= 0xE0200 {
		r = 0x3FFFF
	}
	return runOf(scriptRuns[:], r)
}
