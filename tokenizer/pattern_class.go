package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// property returns a set by its name, nil where it is not known.
func (p *regexParser) property(name string) *runeSet {
	if p.brackets == 0 && (name == "word" || name == "Word") {
		name = bareWord
	}
	if s, ok := p.properties[name]; ok {
		return s
	}
	s, ok := bareWordSet(), true
	if name != bareWord {
		s, ok = propertySet(name)
	}
	if !ok {
		return nil
	}
	p.properties[name] = s
	return s
}

// bareWord is the name of \w outside brackets.
const bareWord = "word outside brackets"

// setEscape reads what a backslash begins: a set, or where that is nil a character.
func (p *regexParser) setEscape() (s *runeSet, c rune, err error) {
	c = p.rune()
	switch c {
	case 's', 'S', 'd', 'D', 'w', 'W', 'h', 'H':
		name := map[rune]string{'s': "space", 'd': "digit", 'w': "word", 'h': "xdigit"}[unicode.ToLower(c)]
		return p.negated(name, unicode.IsUpper(c)), c, nil
	case 'p', 'P':
		if !p.accept("{") {
			return nil, c, errors.New(`\p without a name`)
		}
		name, after, ok := strings.Cut(p.rest, "}")
		if !ok {
			return nil, c, errors.New(`the name after \p does not end`)
		}
		p.rest = after
		name, not := strings.CutPrefix(name, "^")
		if p.property(name) == nil {
			return nil, c, notSupported(fmt.Sprintf(`\p{%.20s}`, name))
		}
		return p.negated(name, not != (c == 'P')), c, nil
	case 'x', 'u':
		c, err = p.number(c)
		return nil, c, err
	case 'n', 't', 'r', 'f', 'v', 'a', 'e':
		return nil, map[rune]rune{'n': '\n', 't': '\t', 'r': '\r', 'f': '\f', 'v': '\v', 'a': '\a', 'e': 0x1b}[c], nil
	}
	if c < 0x80 && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		return nil, c, notSupported(`\` + string(c))
	}
	return nil, c, nil
}

func (p *regexParser) negated(name string, not bool) *runeSet {
	s := p.property(name)
	if !not {
		return s
	}
	key := fmt.Sprintf("not %s, in %d brackets", name, min(p.brackets, 1))
	n, ok := p.properties[key]
	if !ok {
		n = s.not()
		p.properties[key] = n
	}
	return n
}

// number reads the digits of \x41, \x{1F600} and \u0041.
func (p *regexParser) number(kind rune) (rune, error) {
	digits, braced := "", kind == 'x' && p.accept("{")
	if braced {
		inside, after, ok := strings.Cut(p.rest, "}")
		if !ok {
			return 0, errors.New(`\x{ does not end`)
		}
		digits, p.rest = inside, after
	} else {
		n := min(map[rune]int{'x': 2, 'u': 4}[kind], len(p.rest))
		digits, p.rest = p.rest[:n], p.rest[n:]
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n > unicode.MaxRune || kind == 'x' && n > 0x7f && !braced {
		return 0, fmt.Errorf(`\%c%.10s is no character`, kind, digits)
	}
	return rune(n), nil
}

// maxRanges bounds the ranges of all sets of an expression. GPT-4o's, the largest that is
// published, has 7 thousand.
const maxRanges = 1 << 15

// class reads what stands between brackets, after the first one.
func (p *regexParser) class() (*runeSet, error) {
	if p.depth++; p.depth > 50 {
		return nil, errors.New("brackets lie more than 50 deep in each other")
	}
	p.brackets++
	defer func() { p.depth--; p.brackets-- }()
	not := p.accept("^")
	var all *runeSet // what stands before &&
	var ranges []runeRange
	for first := true; ; first = false {
		if p.rest == "" {
			return nil, errors.New("a bracket is not closed")
		}
		if !first && p.accept("]") {
			break
		}
		if p.accept("&&") {
			all, ranges = intersection(all, ranges), nil
			continue
		}
		s, from, err := p.member()
		if err != nil {
			return nil, err
		}
		if s != nil {
			ranges = append(ranges, s.ranges...)
			continue
		}
		to := from
		if strings.HasPrefix(p.rest, "-") && !strings.HasPrefix(p.rest, "-]") {
			p.rest = p.rest[1:]
			if s, to, err = p.member(); err != nil {
				return nil, err
			}
			if s != nil || to < from {
				return nil, fmt.Errorf("bad range from %q", from)
			}
		}
		ranges = append(ranges, runeRange{from, to})
	}
	s, err := p.cased(intersection(all, ranges))
	if err != nil {
		return nil, err
	}
	if not {
		s = s.not()
	}
	if p.ranges += len(s.ranges); p.ranges > maxRanges {
		return nil, errors.New("its sets are too large")
	}
	return s, nil
}

func intersection(all *runeSet, ranges []runeRange) *runeSet {
	s := newRuneSet(slices.Clone(ranges))
	if all == nil {
		return s
	}
	return all.and(s)
}

// member reads a set inside brackets, or where that is nil a character.
func (p *regexParser) member() (s *runeSet, c rune, err error) {
	switch {
	case p.accept("[:"):
		name, after, ok := strings.Cut(p.rest, ":]")
		name, not := strings.CutPrefix(name, "^")
		if s, known := posixSet(name); ok && known {
			p.rest = after
			if not {
				s = s.not()
			}
			return s, 0, nil
		}
		return nil, 0, notSupported(fmt.Sprintf("[:%.20s:]", name))
	case p.accept("["):
		s, err = p.class()
		return s, 0, err
	case p.accept(`\b`):
		return nil, '\b', nil
	case p.accept(`\`):
		if p.rest == "" {
			return nil, 0, errors.New("it ends with a backslash")
		}
		return p.setEscape()
	}
	return nil, p.rune(), nil
}
