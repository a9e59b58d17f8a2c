package textclean

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NFC returns s in Unicode's normalization form C. Unlike [norm.NFC] it never
// inserts U+034F into long runs of combining marks, and takes no character for
// another whose lower 16 bits agree: there U+E0041, U+0301 becomes Á.
func NFC(s string) string {
	if misread(s) {
		return compose(decompose(s))
	}
	return norm.NFC.String(s)
}

// maxRun is a number of combining marks in a row that [norm.NFC] leaves alone
// whatever they decompose to; its own limit is 30 after decomposition.
const maxRun = 12

// misread reports whether s may hold what [norm.NFC] does not treat as the
// standard does: a long run of marks, or one after a character of 4 bytes.
func misread(s string) bool {
	run, high := 0, false
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			run, high = 0, false
			i++
			continue
		}
		p := norm.NFC.PropertiesString(s[i:])
		run++
		if p.CCC() == 0 {
			run = 0
		}
		if run > maxRun || high && !p.BoundaryBefore() {
			return true
		}
		high = p.Size() == utf8.UTFMax
		i += p.Size()
	}
	return false
}

// A mark is a code point with its canonical combining class.
type mark struct {
	r   rune
	ccc uint8
}

// decompose returns the canonical decomposition of s in canonical order.
func decompose(s string) []mark {
	var out []mark
	for _, r := range s {
		for _, d := range norm.NFD.String(string(r)) {
			out = append(out, mark{d, norm.NFD.PropertiesString(string(d)).CCC()})
		}
	}
	for i := 0; i < len(out); i++ {
		end := i
		for end < len(out) && out[end].ccc != 0 {
			end++
		}
		slices.SortStableFunc(out[i:end], func(a, b mark) int { return int(a.ccc) - int(b.ccc) })
		i = max(i, end-1)
	}
	return out
}

// compose joins each mark that nothing blocks with the starter before it.
// Unicode standard, 3.11, D117.
func compose(marks []mark) string {
	out := make([]mark, 0, len(marks))
	starter := -1 // its index in out
	for _, m := range marks {
		if starter >= 0 {
			last := out[len(out)-1]
			adjacent := len(out)-1 == starter
			if adjacent || last.ccc < m.ccc && last.ccc != 0 {
				if r := pair(out[starter].r, m.r); r != 0 {
					out[starter].r = r
					continue
				}
			}
		}
		if m.ccc == 0 {
			starter = len(out)
		}
		out = append(out, m)
	}
	var b strings.Builder
	for _, m := range out {
		b.WriteRune(m.r)
	}
	return b.String()
}

// pair returns the primary composite of a and b, or 0.
func pair(a, b rune) rune {
	both := string(a) + string(b)
	joined := norm.NFC.String(both)
	r, size := utf8.DecodeRuneInString(joined)
	if size != len(joined) || norm.NFD.String(joined) != norm.NFD.String(both) {
		return 0
	}
	return r
}
