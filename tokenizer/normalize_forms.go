package tokenizer

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalForm is one of Unicode's normal forms, as of version 9: characters that are newer
// stay as they are.
type normalForm struct{ compatible, composed bool }

// A change is a character of the result: it stands in the place of one of the text and of
// as many as it takes besides, or is added.
type change struct {
	r     rune
	class uint8 // for the order of marks
	takes int   // 1: in the place of one; 0: added; more: of several
}

func (f normalForm) form() norm.Form {
	switch f {
	case normalForm{true, false}:
		return norm.NFKD
	case normalForm{false, true}:
		return norm.NFC
	case normalForm{true, true}:
		return norm.NFKC
	}
	return norm.NFD
}

func (f normalForm) normalize(t *text) error {
	if asciiRun(t.b) == len(t.b) || f.done(t.b) {
		return nil
	}
	changes := f.decompose(t.b)
	if f.composed {
		changes = compose(changes)
	}
	t.edit()
	for _, c := range changes {
		if c.takes == 0 {
			t.add(c.r)
			continue
		}
		for i := range c.takes {
			_, n := utf8.DecodeRune(t.rest())
			if i == 0 {
				t.put(c.r, n)
			} else {
				t.drop(n)
			}
		}
	}
	t.done()
	return nil
}

// done reports whether b is in the form already.
func (f normalForm) done(b []byte) bool {
	if !f.form().IsNormal(b) {
		return false
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if isNewer(r) {
			return false
		}
		b = b[n:]
	}
	return true
}

func isNewer(r rune) bool {
	return r >= rune(unnormalized[0]) && inRanges(unnormalized[:], r)
}

// Hangul is composed by arithmetic: chapter 3.12 of the Unicode standard.
const (
	hangulS, hangulL, hangulV, hangulT = 0xAC00, 0x1100, 0x1161, 0x11A7
	countL, countV, countT             = 19, 21, 28
)

func (f normalForm) decompose(b []byte) []change {
	form := norm.NFD
	if f.compatible {
		form = norm.NFKD
	}
	changes := make([]change, 0, len(b))
	sorted := 0 // all before it are in order
	push := func(r rune, takes int) {
		c := change{r: r, takes: takes}
		if r >= 0x300 && !isNewer(r) {
			var buf [utf8.UTFMax]byte
			c.class = form.Properties(utf8.AppendRune(buf[:0], r)).CCC()
		}
		if c.class == 0 {
			orderMarks(changes[sorted:])
			sorted = len(changes) + 1
		}
		changes = append(changes, c)
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if s := r - hangulS; 0 <= s && s < countL*countV*countT {
			push(hangulL+s/(countV*countT), 1)
			push(hangulV+s%(countV*countT)/countT, 0)
			if s%countT > 0 {
				push(hangulT+s%countT, 0)
			}
		} else if d := form.Properties(b).Decomposition(); r < utf8.RuneSelf || d == nil || isNewer(r) {
			push(r, 1)
		} else {
			takes := 1
			for len(d) > 0 {
				r, n := utf8.DecodeRune(d)
				push(r, takes)
				takes, d = 0, d[n:]
			}
		}
		b = b[n:]
	}
	orderMarks(changes[min(sorted, len(changes)):])
	return changes
}

func orderMarks(marks []change) {
	slices.SortStableFunc(marks, func(a, b change) int { return cmp.Compare(a.class, b.class) })
}

// compose joins characters with the marks behind them.
func compose(all []change) []change {
	out := all[:0]
	starter, last := -1, 0 // where in out; the class of the last mark that stayed
	for _, c := range all {
		if starter >= 0 && (last == 0 || last < int(c.class)) {
			if r := composite(out[starter].r, c.r); r != 0 {
				out[starter].r = r
				out[starter].takes += c.takes
				continue
			}
		}
		if c.class == 0 {
			starter, last = len(out), 0
		} else {
			last = int(c.class)
		}
		out = append(out, c)
	}
	return out
}

// composite is what two characters are composed to, 0 for nothing.
func composite(a, b rune) rune {
	if l, v := a-hangulL, b-hangulV; 0 <= l && l < countL && 0 <= v && v < countV {
		return hangulS + (l*countV+v)*countT
	}
	if s, t := a-hangulS, b-hangulT; 0 <= s && s < countL*countV*countT && s%countT == 0 && 0 < t && t < countT {
		return a + t
	}
	if isNewer(b) || a < utf8.RuneSelf && b < utf8.RuneSelf {
		return 0
	}
	var in, out [2 * utf8.UTFMax]byte
	pair := norm.NFC.Append(out[:0], utf8.AppendRune(utf8.AppendRune(in[:0], a), b)...)
	if r, n := utf8.DecodeRune(pair); n == len(pair) && !isNewer(r) {
		return r
	}
	return 0
}
