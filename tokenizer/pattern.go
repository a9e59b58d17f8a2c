package tokenizer

import (
	"bytes"
	"fmt"
	"sync"
	"unicode/utf8"
)

// A pattern finds what a regular expression, or a string, matches. It goes back where a
// way does not lead on, as Oniguruma does, which alone can look ahead and behind; Go's own
// expressions cannot. What would take too long that way is an error, not a wait.
type pattern struct {
	source    string
	literal   []byte // a pattern that is a string
	code      []instruction
	first     byteSet // what a match begins with
	registers int
	scratch   sync.Pool // of *matching
}

// newPattern compiles a regular expression. With possessive intervals {1,3}+ is read as
// tiktoken's expressions mean it: without going back.
func newPattern(expr string, possessiveIntervals bool) (*pattern, error) {
	r, groups, err := parseRegex(expr, possessiveIntervals)
	if err != nil {
		return nil, fmt.Errorf("regular expression %.80q: %w", expr, err)
	}
	c := &compiler{registers: 2 * (groups + 1)}
	if err := c.compile(r); err != nil {
		return nil, fmt.Errorf("regular expression %.80q: %w", expr, err)
	}
	c.emit(instruction{op: opMatch})
	return &pattern{source: expr, code: c.code, first: c.look(), registers: c.registers}, nil
}

// stringPattern matches a string. An empty one matches at the start, between any two
// characters, and at the end.
func stringPattern(s string) *pattern {
	p := &pattern{source: s, literal: []byte(s), code: []instruction{{op: opMatch}}, first: anyByte(), registers: 2}
	return p
}

// A matching is the state of one search.
type matching struct {
	b         []byte
	registers []int32
	stack     []choice
	steps     int
}

// A choice is a way not taken yet.
type choice struct {
	pc  int32 // where it goes on; below 0 a register, ^pc, that gets its old value at again
	at  int32
	low int32 // of a repetition: the least position it may go back to
	up  int32 // of a lazy one: how many more there may be
}

// stepsPerByte bounds the work of a search. The published expressions take about ten.
const stepsPerByte, stepsBesides = 300, 100_000

// each calls f with the matches in b, from left to right. In nothing there is none, not
// even an empty one.
func (p *pattern) each(b []byte, f func(from, to int)) error {
	if len(b) == 0 {
		return nil
	}
	if len(p.literal) > 0 {
		for at := 0; ; {
			n := bytes.Index(b[at:], p.literal)
			if n < 0 {
				return nil
			}
			f(at+n, at+n+len(p.literal))
			at += n + len(p.literal)
		}
	}
	m, ok := p.scratch.Get().(*matching)
	if !ok {
		m = &matching{registers: make([]int32, p.registers)}
	}
	defer p.scratch.Put(m)
	m.b, m.steps = b, stepsPerByte*len(b)+stepsBesides
	defer func() { m.b = nil }()
	last := -1 // where the last match ended
	for at := 0; at <= len(b); {
		from, to := p.find(m, at)
		if m.steps < 0 {
			return fmt.Errorf("tokenizer: regular expression %.80q takes too long on a text of %d bytes", p.source, len(b))
		}
		if from < 0 {
			return nil
		}
		if from == to && to == last {
			// No empty match right behind another one.
			_, n := utf8.DecodeRune(b[at:])
			at += max(n, 1)
			continue
		}
		f(from, to)
		at, last = to, to
	}
	return nil
}

// find returns the first match from at on, -1 if there is none.
func (p *pattern) find(m *matching, at int) (from, to int) {
	for ; at <= len(m.b); at++ {
		if at < len(m.b) {
			c := m.b[at]
			if c&0xC0 == 0x80 || !p.first.has(c) {
				continue
			}
		}
		for i := range m.registers {
			m.registers[i] = -1
		}
		if to, ok := p.run(m, 0, at); ok {
			return at, to
		}
		if m.steps < 0 {
			break
		}
	}
	return -1, -1
}

// run follows the instructions from pc on until they match, and returns where. Ways that
// it has not taken are forgotten.
func (p *pattern) run(m *matching, pc int32, at int) (end int, ok bool) {
	base := len(m.stack)
	b := m.b
	for {
		if m.steps--; m.steps < 0 {
			break
		}
		i := &p.code[pc]
		matched := true
		switch i.op {
		case opMatch:
			m.stack = m.stack[:base]
			return at, true
		case opSet:
			var n int
			if n, matched = next(i.set, b, at); matched {
				at += n
				pc++
			}
		case opRepeat:
			if at, matched = p.repeat(m, i, pc, at); matched {
				pc++
			}
		case opSplit:
			x, y := i.possible(b, at)
			switch {
			case x && y:
				m.stack = append(m.stack, choice{pc: i.y, at: int32(at)})
				pc = i.x
			case x:
				pc = i.x
			case y:
				pc = i.y
			default:
				matched = false
			}
		case opJump:
			pc = i.x
		case opSave:
			m.stack = append(m.stack, choice{pc: ^i.min, at: m.registers[i.min]})
			m.registers[i.min] = int32(at)
			pc++
		case opMoved:
			matched = m.registers[i.min] != int32(at)
			pc++
		default:
			if at, matched = p.special(m, i, pc, at); matched {
				if pc++; i.op == opAhead || i.op == opBehind || i.op == opAtomic {
					pc = i.x
				}
			}
		}
		if !matched {
			if pc, at, ok = p.back(m, base); !ok {
				break
			}
		}
	}
	m.stack = m.stack[:base]
	return 0, false
}

// next returns the length of the next character if it is in the set.
func next(set *runeSet, b []byte, at int) (n int, ok bool) {
	if at >= len(b) {
		return 0, false
	}
	if c := b[at]; c < utf8.RuneSelf {
		return 1, set.ascii[c>>6]>>(c&63)&1 != 0
	}
	r, n := utf8.DecodeRune(b[at:])
	return n, set.search(r)
}

// possible reports which branches of a split the next byte allows.
func (i *instruction) possible(b []byte, at int) (x, y bool) {
	if at >= len(b) {
		return true, true
	}
	return i.firstX.has(b[at]), i.firstY.has(b[at])
}

// repeat goes over characters of a set: as many as it can, or if it is lazy as few.
func (p *pattern) repeat(m *matching, i *instruction, pc int32, at int) (end int, ok bool) {
	var low int
	count, most := int32(0), i.max
	if i.greed == lazy {
		most = i.min
	}
	for ; most < 0 || count < most; count++ {
		if count == i.min {
			low = at
		}
		n, ok := next(i.set, m.b, at)
		if !ok {
			break
		}
		at += n
	}
	m.steps -= int(count) / 8
	switch {
	case count < i.min:
		return at, false
	case count == i.min:
		low = at
	}
	switch {
	case i.greed == lazy && (i.max < 0 || count < i.max):
		more := int32(-1)
		if i.max >= 0 {
			more = i.max - count
		}
		m.stack = append(m.stack, choice{pc: pc, at: int32(at), low: -1, up: more})
	case i.greed == greedy && low < at:
		m.stack = append(m.stack, choice{pc: pc + 1, at: int32(at), low: int32(low), up: 1})
	}
	return at, true
}

// back takes the last way that was not taken.
func (p *pattern) back(m *matching, base int) (pc int32, at int, ok bool) {
	for len(m.stack) > base {
		top := len(m.stack) - 1
		c := &m.stack[top]
		switch {
		case c.pc < 0:
			m.registers[^c.pc] = c.at
			m.stack = m.stack[:top]
		case c.low < 0: // a lazy repetition takes one more
			pc, at = c.pc+1, int(c.at)
			n, more := next(p.code[c.pc].set, m.b, at)
			if !more {
				m.stack = m.stack[:top]
				continue
			}
			c.at += int32(n)
			if c.up--; c.up == 0 {
				m.stack = m.stack[:top]
			}
			return pc, at + n, true
		case c.up > 0: // a greedy one gives one back
			_, n := utf8.DecodeLastRune(m.b[:c.at])
			c.at -= int32(n)
			pc, at = c.pc, int(c.at)
			if c.at <= c.low {
				m.stack = m.stack[:top]
			}
			return pc, at, true
		default:
			pc, at = c.pc, int(c.at)
			m.stack = m.stack[:top]
			return pc, at, true
		}
	}
	return 0, 0, false
}

// special follows the instructions that are rare.
func (p *pattern) special(m *matching, i *instruction, pc int32, at int) (end int, ok bool) {
	switch i.op {
	case opAhead:
		_, ok := p.run(m, pc+1, at)
		return at, ok != i.negative
	case opBehind:
		start := at
		for range i.min {
			if start == 0 {
				return at, i.negative
			}
			_, n := utf8.DecodeLastRune(m.b[:start])
			start -= n
		}
		to, ok := p.run(m, pc+1, start)
		return at, (ok && to == at) != i.negative
	case opAtomic:
		return p.run(m, pc+1, at)
	case opBack:
		from, to := m.registers[2*i.min], m.registers[2*i.min+1]
		if from < 0 || to < from || !bytes.HasPrefix(m.b[at:], m.b[from:to]) {
			return at, false
		}
		return at + int(to-from), true
	}
	return at, i.asserts(m.b, at)
}

func (i *instruction) asserts(b []byte, at int) bool {
	switch i.min {
	case atStart:
		return at == 0
	case atEnd:
		return at == len(b)
	case atLineStart:
		return at == 0 || b[at-1] == '\n' && at < len(b)
	case atLineEnd:
		return at == len(b) || b[at] == '\n'
	case atLastLineEnd:
		return at == len(b) || at == len(b)-1 && b[at] == '\n'
	}
	_, after := next(i.set, b, at)
	r, n := utf8.DecodeLastRune(b[:at])
	before := n > 0 && i.set.has(r)
	return (before != after) == (i.min == atWordEdge)
}
