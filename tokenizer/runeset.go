package tokenizer

import (
	"slices"
	"sort"
	"unicode"
)

// A runeSet is a set of characters: ranges in order that do not touch each other, and for
// ASCII, which most texts are, one bit each.
type runeSet struct {
	ranges []runeRange
	ascii  [2]uint64
}

type runeRange struct{ first, last rune }

// newRuneSet makes a set of ranges in any order.
func newRuneSet(ranges []runeRange) *runeSet {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b runeRange) int { return int(a.first) - int(b.first) })
	s := &runeSet{}
	for _, r := range sorted {
		if last := len(s.ranges) - 1; last >= 0 && r.first <= s.ranges[last].last+1 {
			s.ranges[last].last = max(s.ranges[last].last, r.last)
		} else {
			s.ranges = append(s.ranges, r)
		}
	}
	for c := range rune(0x80) {
		if s.search(c) {
			s.ascii[c>>6] |= 1 << (c & 63)
		}
	}
	return s
}

func (s *runeSet) has(r rune) bool {
	if r < 0x80 {
		return s.ascii[r>>6]>>(r&63)&1 != 0
	}
	return s.search(r)
}

func (s *runeSet) search(r rune) bool {
	at := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].last >= r })
	return at < len(s.ranges) && s.ranges[at].first <= r
}

// not is everything else.
func (s *runeSet) not() *runeSet {
	var out []runeRange
	next := rune(0)
	for _, r := range s.ranges {
		if next < r.first {
			out = append(out, runeRange{next, r.first - 1})
		}
		next = r.last + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, runeRange{next, unicode.MaxRune})
	}
	return newRuneSet(out)
}

func (s *runeSet) and(o *runeSet) *runeSet {
	return newRuneSet(append(slices.Clone(s.not().ranges), o.not().ranges...)).not()
}

// folded adds to each character those that are the same but for case.
func (s *runeSet) folded() *runeSet {
	out := slices.Clone(s.ranges)
	for _, r := range s.ranges {
		for c := r.first; c <= min(r.last, 0x1e943); c++ { // no letter with a case comes later
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				out = append(out, runeRange{f, f})
			}
		}
	}
	return newRuneSet(out)
}

// categorySet is the characters of the categories that in chooses.
func categorySet(in func(c category) bool) *runeSet {
	var out []runeRange
	for i, run := range categoryRuns {
		if !in(category(run & 0xFF)) {
			continue
		}
		last := rune(privatePlanes - 1)
		if i+1 < len(categoryRuns) {
			last = rune(categoryRuns[i+1]>>8) - 1
		}
		out = append(out, runeRange{rune(run >> 8), last})
	}
	for plane := rune(privatePlanes); plane <= unicode.MaxRune; plane += 0x10000 {
		if in(catCo) {
			out = append(out, runeRange{plane, plane + 0xFFFD})
		}
		if in(0) {
			out = append(out, runeRange{plane + 0xFFFE, plane + 0xFFFF})
		}
	}
	return newRuneSet(out)
}

// spaceSet is \s, wordSet \w.
func spaceSet() *runeSet {
	return newRuneSet([]runeRange{{'\t', '\r'}, {' ', ' '}, {0x85, 0x85}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200a},
		{0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}})
}

func wordSet() *runeSet {
	words := categorySet(func(c category) bool { return c.letter() || c.mark() || c == catNd || c == catNl || c == catPc })
	return newRuneSet(append(words.ranges, runeRange{0x24b6, 0x24e9}, runeRange{0x1f130, 0x1f149}, runeRange{0x1f150, 0x1f169},
		runeRange{0x1f170, 0x1f189}))
}

// bareWordSet is \w outside brackets, where Oniguruma counts six characters of Latin-1 as
// well: ² ³ ¹ ¼ ½ ¾.
func bareWordSet() *runeSet {
	return newRuneSet(append(wordSet().ranges, runeRange{0xb2, 0xb3}, runeRange{0xb9, 0xb9}, runeRange{0xbc, 0xbe}))
}

// propertySet is \p{name}; ok is false for a name that is not known.
func propertySet(name string) (s *runeSet, ok bool) {
	if len(name) == 1 { // a major category
		first := name[0]
		if !slices.ContainsFunc(categoryNames(), func(n string) bool { return n[0] == first }) {
			return nil, false
		}
		return categorySet(func(c category) bool { return categoryNames()[c][0] == first }), true
	}
	if at := slices.Index(categoryNames(), name); at >= 0 {
		return categorySet(func(c category) bool { return c == category(at) }), true
	}
	if script, ok := unicode.Scripts[name]; ok {
		return tableSet(script), true
	}
	return posixSet(name)
}

func tableSet(t *unicode.RangeTable) *runeSet {
	var out []runeRange
	add := func(first, last, stride rune) {
		if stride == 1 {
			out = append(out, runeRange{first, last})
			return
		}
		for r := first; r <= last; r += stride {
			out = append(out, runeRange{r, r})
		}
	}
	for _, r := range t.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return newRuneSet(out)
}

// posixSet is [[:name:]].
func posixSet(name string) (s *runeSet, ok bool) {
	switch name {
	case "space", "Space", "White_Space":
		return spaceSet(), true
	case "word", "Word":
		return wordSet(), true
	case "digit", "Digit":
		return categorySet(func(c category) bool { return c == catNd }), true
	case "xdigit", "XDigit":
		return newRuneSet([]runeRange{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}), true
	case "punct", "Punct": // Oniguruma's: symbols too
		return categorySet(func(c category) bool { return c.punctuation() || catSm <= c && c <= catSo }), true
	case "cntrl", "Cntrl":
		return categorySet(func(c category) bool { return c == catCc }), true
	case "blank", "Blank":
		return newRuneSet(append(categorySet(func(c category) bool { return c == catZs }).ranges, runeRange{'\t', '\t'})), true
	case "ascii", "ASCII":
		return newRuneSet([]runeRange{{0, 0x7f}}), true
	case "any", "Any":
		return newRuneSet([]runeRange{{0, unicode.MaxRune}}), true
	}
	return nil, false
}
