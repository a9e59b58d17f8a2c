package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPattern bounds regular expressions: the longest that is published has 500 bytes.
const maxPattern = 4 << 10

// A regex is a part of a regular expression. Which one it is, its kind says.
type regex struct {
	kind     regexKind
	set      *runeSet
	parts    []*regex
	min, max int // of a repetition; max is -1 where there is no end
	greed    greed
	number   int // of a group, or of an assertion
	negative bool
}

type regexKind uint8

const (
	regexEmpty regexKind = iota
	regexSet
	regexSequence
	regexEither
	regexRepeat
	regexGroup
	regexAhead
	regexBehind
	regexAtomic
	regexBack
	regexAssert
)

// The assertions.
const (
	atLineStart = iota
	atLineEnd
	atStart
	atEnd
	atLastLineEnd
	atWordEdge
	atNoWordEdge
)

// greed says in which order repetitions are tried.
type greed uint8

const (
	greedy greed = iota
	lazy
	possessive
)

// A regexParser reads the regular expressions of Oniguruma in the dialect of Ruby, as the
// tokenizers library does.
type regexParser struct {
	rest       string
	fold       bool // letters match without regard to case
	dotAll     bool
	groups     int
	depth      int
	brackets   int
	folds      int // characters looked at for their case
	ranges     int // of all sets
	literals   map[rune]*runeSet
	properties map[string]*runeSet // so that each is made once
	// possessiveIntervals reads {1,3}+ as tiktoken's expressions mean it.
	possessiveIntervals bool
}

func parseRegex(expr string, possessiveIntervals bool) (r *regex, groups int, err error) {
	if len(expr) > maxPattern {
		return nil, 0, fmt.Errorf("it has %d bytes, want at most %d", len(expr), maxPattern)
	}
	p := &regexParser{rest: expr, properties: map[string]*runeSet{}, literals: map[rune]*runeSet{}, possessiveIntervals: possessiveIntervals}
	r, err = p.either()
	if err == nil && p.rest != "" {
		err = errors.New("a parenthesis is closed that was not opened")
	}
	return r, p.groups, err
}

func notSupported(what string) error { return fmt.Errorf("%s is not supported", what) }

func (p *regexParser) accept(s string) bool {
	if !strings.HasPrefix(p.rest, s) {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

func (p *regexParser) rune() rune {
	r, n := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[n:]
	return r
}

// either reads alternatives up to the end or a closing parenthesis.
func (p *regexParser) either() (*regex, error) {
	if p.depth++; p.depth > 50 {
		return nil, errors.New("groups lie more than 50 deep in each other")
	}
	fold, dotAll := p.fold, p.dotAll
	defer func() { p.depth--; p.fold, p.dotAll = fold, dotAll }()
	r := &regex{kind: regexEither}
	for {
		s, err := p.sequence()
		if err != nil {
			return nil, err
		}
		if r.parts = append(r.parts, s); !p.accept("|") {
			break
		}
	}
	if len(r.parts) == 1 {
		return r.parts[0], nil
	}
	return r, nil
}

func (p *regexParser) sequence() (*regex, error) {
	s := &regex{kind: regexSequence}
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		a, err := p.atom()
		if err != nil {
			return nil, err
		}
		if a, err = p.repeated(a); err != nil {
			return nil, err
		}
		s.parts = append(s.parts, a)
	}
	return s, nil
}

// repeated reads the quantifiers behind an atom.
func (p *regexParser) repeated(a *regex) (*regex, error) {
	for range 20 {
		r := &regex{kind: regexRepeat, parts: []*regex{a}, max: -1}
		interval := false
		switch {
		case p.accept("*"):
		case p.accept("+"):
			r.min = 1
		case p.accept("?"):
			r.max = 1
		default:
			var err error
			if interval, err = p.interval(r); err != nil || !interval {
				return a, err
			}
		}
		switch {
		case interval && r.min == r.max && strings.HasPrefix(p.rest, "?"):
			return nil, notSupported("{n}?")
		case p.accept("?"):
			r.greed = lazy
		case (!interval || p.possessiveIntervals) && p.accept("+"):
			r.greed = possessive
		}
		a = r
	}
	return nil, errors.New("more than 20 repetitions of repetitions")
}

// interval reads {n}, {n,}, {n,m} or {,m}. Other braces stand for themselves.
func (p *regexParser) interval(r *regex) (ok bool, err error) {
	if !strings.HasPrefix(p.rest, "{") {
		return false, nil
	}
	inside, after, ok := strings.Cut(p.rest[1:], "}")
	if !ok {
		return false, nil
	}
	first, last, two := strings.Cut(inside, ",")
	bound := func(s string, missing int) (int, bool) {
		if s == "" {
			return missing, two
		}
		n, err := strconv.ParseUint(s, 10, 31)
		return int(n), err == nil
	}
	low, ok1 := bound(first, 0)
	high, ok2 := bound(last, -1)
	if !two {
		high, ok2 = low, true
	}
	if !ok1 || !ok2 || first == "" && last == "" {
		return false, nil
	}
	if low > 100_000 || high > 100_000 || high >= 0 && high < low {
		return false, fmt.Errorf("bad interval {%s}", inside)
	}
	r.min, r.max, p.rest = low, high, after
	return true, nil
}

func (p *regexParser) atom() (*regex, error) {
	switch c := p.rune(); c {
	case '(':
		return p.group()
	case '[':
		s, err := p.class()
		return &regex{kind: regexSet, set: s}, err
	case '.':
		if p.dotAll {
			return &regex{kind: regexSet, set: newRuneSet([]runeRange{{0, unicode.MaxRune}})}, nil
		}
		return &regex{kind: regexSet, set: newRuneSet([]runeRange{{'\n', '\n'}}).not()}, nil
	case '^':
		return &regex{kind: regexAssert, number: atLineStart}, nil
	case '$':
		return &regex{kind: regexAssert, number: atLineEnd}, nil
	case '*', '+', '?':
		return nil, fmt.Errorf("nothing to repeat before %q", c)
	case '\\':
		return p.escape()
	default:
		return p.literal(c)
	}
}

func (p *regexParser) literal(c rune) (*regex, error) {
	key := c
	if p.fold {
		key = ^c
	}
	s, ok := p.literals[key]
	if !ok {
		var err error
		if s, err = p.cased(newRuneSet([]runeRange{{c, c}})); err != nil {
			return nil, err
		}
		p.literals[key] = s
	}
	return &regex{kind: regexSet, set: s}, nil
}

// cased adds the other cases to a set where case does not matter.
func (p *regexParser) cased(s *runeSet) (*runeSet, error) {
	if !p.fold {
		return s, nil
	}
	for _, r := range s.ranges {
		if p.folds += int(r.last-r.first) + 1; p.folds > 10*unicode.MaxRune {
			return nil, errors.New("too much of it is to match without regard to case")
		}
	}
	return s.folded(), nil
}

func (p *regexParser) group() (*regex, error) {
	r := &regex{kind: regexGroup}
	switch {
	case !strings.HasPrefix(p.rest, "?"):
		p.groups++
		r.number = p.groups
	case p.accept("?:"):
		r.kind = regexSequence
	case p.accept("?="):
		r.kind = regexAhead
	case p.accept("?!"):
		r.kind, r.negative = regexAhead, true
	case p.accept("?<="):
		r.kind = regexBehind
	case p.accept("?<!"):
		r.kind, r.negative = regexBehind, true
	case p.accept("?>"):
		r.kind = regexAtomic
	default:
		return p.flags()
	}
	inside, err := p.inside()
	if err != nil {
		return nil, err
	}
	r.parts = []*regex{inside}
	return r, nil
}

// inside reads what a group holds, and its end.
func (p *regexParser) inside() (*regex, error) {
	r, err := p.either()
	if err == nil && !p.accept(")") {
		err = errors.New("a parenthesis is not closed")
	}
	return r, err
}

// flags reads (?i) and (?i:…).
func (p *regexParser) flags() (*regex, error) {
	end := strings.IndexAny(p.rest, ":)")
	if end < 0 || end > 8 {
		return nil, notSupported(fmt.Sprintf("the group (%.6s", p.rest))
	}
	fold, dotAll, on := p.fold, p.dotAll, true
	for _, c := range p.rest[1:end] {
		switch c {
		case '-':
			on = false
		case 'i':
			fold = on
		case 'm':
			dotAll = on
		default:
			return nil, notSupported(fmt.Sprintf("the group (%.6s", p.rest))
		}
	}
	whole := p.rest[end] == ')'
	p.rest = p.rest[end+1:]
	oldFold, oldDotAll := p.fold, p.dotAll
	p.fold, p.dotAll = fold, dotAll
	if whole {
		// It counts up to the end of the group around it, alternatives included.
		return p.either()
	}
	r, err := p.inside()
	p.fold, p.dotAll = oldFold, oldDotAll
	return r, err
}

func (p *regexParser) escape() (*regex, error) {
	if p.rest == "" {
		return nil, errors.New("it ends with a backslash")
	}
	switch c := p.rest[0]; c {
	case 'A', 'z', 'Z', 'b', 'B':
		p.rest = p.rest[1:]
		number := map[byte]int{'A': atStart, 'z': atEnd, 'Z': atLastLineEnd, 'b': atWordEdge, 'B': atNoWordEdge}[c]
		return &regex{kind: regexAssert, number: number, set: p.property("word")}, nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		p.rest = p.rest[1:]
		if n := int(c - '0'); n <= p.groups && !p.fold {
			return &regex{kind: regexBack, number: n}, nil
		}
		return nil, notSupported(`\` + string(c))
	}
	s, c, err := p.setEscape()
	if err != nil {
		return nil, err
	}
	if s == nil {
		return p.literal(c)
	}
	return &regex{kind: regexSet, set: s}, nil
}
