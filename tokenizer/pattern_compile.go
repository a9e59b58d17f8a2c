package tokenizer

import (
	"errors"
	"unicode/utf8"
)

// An instruction of a compiled regular expression.
type instruction struct {
	op       operation
	set      *runeSet
	x, y     int32 // where it goes on: x first, then y
	min, max int32 // of a repetition; max is -1 where there is no end
	greed    greed
	negative bool
	// The bytes that what begins at x and y can begin with; where neither can, it fails.
	firstX, firstY byteSet
}

type operation uint8

const (
	opMatch  operation = iota
	opSet              // a character of the set
	opRepeat           // min to max characters of the set
	opSplit            // x, and if that fails y
	opJump             // x
	opSave             // the position becomes register min
	opMoved            // fails where the position is register min
	opAhead            // what follows matches up to a match; then x
	opBehind           // the same, min characters before
	opAtomic           // the same, and the position moves
	opBack             // what group min matched
	opAssert           // assertion min
)

// maxProgram bounds the instructions that counted groups are spelled out to.
const maxProgram = 1 << 12

var errLong = errors.New("it is too long, its repetitions spelled out")

// A byteSet says which bytes a match may begin with.
type byteSet [4]uint64

func (s *byteSet) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *byteSet) has(b byte) bool { return s[b>>6]>>(b&63)&1 != 0 }

func (s *byteSet) addAll(o byteSet) {
	for i := range s {
		s[i] |= o[i]
	}
}

func anyByte() byteSet { return byteSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)} }

// bytesOf returns the bytes that characters of a set begin with.
func bytesOf(set *runeSet) (s byteSet) {
	var buf [utf8.UTFMax]byte
	lead := func(r rune) byte {
		if utf8.RuneLen(r) < 0 { // half a surrogate pair, which texts do not have
			r = 0xD7FF
		}
		utf8.EncodeRune(buf[:], r)
		return buf[0]
	}
	for _, r := range set.ranges {
		for b := int(lead(r.first)); b <= int(lead(r.last)); b++ {
			s.add(byte(b))
		}
	}
	return s
}

// A compiler writes the instructions of a regular expression.
type compiler struct {
	code      []instruction
	registers int
}

func (c *compiler) emit(i instruction) int {
	c.code = append(c.code, i)
	return len(c.code) - 1
}

func (c *compiler) here() int32 { return int32(len(c.code)) }

func (c *compiler) compile(r *regex) error {
	if len(c.code) > maxProgram {
		return errLong
	}
	switch r.kind {
	case regexSet:
		c.emit(instruction{op: opSet, set: r.set})
	case regexSequence:
		for _, part := range r.parts {
			if err := c.compile(part); err != nil {
				return err
			}
		}
	case regexEither:
		return c.either(r.parts)
	case regexRepeat:
		return c.repeat(r)
	case regexGroup:
		c.emit(instruction{op: opSave, min: int32(2 * r.number)})
		if err := c.compile(r.parts[0]); err != nil {
			return err
		}
		c.emit(instruction{op: opSave, min: int32(2*r.number + 1)})
	case regexAhead, regexBehind, regexAtomic:
		return c.aside(r)
	case regexBack:
		c.emit(instruction{op: opBack, min: int32(r.number)})
	case regexAssert:
		c.emit(instruction{op: opAssert, min: int32(r.number), set: r.set})
	}
	return nil
}

func (c *compiler) either(parts []*regex) error {
	var ends []int
	for i, part := range parts {
		split := -1
		if i < len(parts)-1 {
			split = c.emit(instruction{op: opSplit})
			c.code[split].x = c.here()
		}
		if err := c.compile(part); err != nil {
			return err
		}
		if split >= 0 {
			ends = append(ends, c.emit(instruction{op: opJump}))
			c.code[split].y = c.here()
		}
	}
	for _, end := range ends {
		c.code[end].x = c.here()
	}
	return nil
}

func (c *compiler) repeat(r *regex) error {
	inner := r.parts[0]
	for inner.kind == regexSequence && len(inner.parts) == 1 {
		inner = inner.parts[0]
	}
	if inner.kind == regexSet {
		c.emit(instruction{op: opRepeat, set: inner.set, min: int32(r.min), max: int32(r.max), greed: r.greed})
		return nil
	}
	if r.greed == possessive {
		plain := *r
		plain.greed = greedy
		return c.aside(&regex{kind: regexAtomic, parts: []*regex{&plain}})
	}
	for range r.min {
		if err := c.compile(inner); err != nil {
			return err
		}
	}
	// The rest is either as many as come or a chain of options.
	var exits []int
	for n := r.min; n < r.max || r.max < 0; n++ {
		start := c.here()
		split := c.emit(instruction{op: opSplit, greed: r.greed})
		exits = append(exits, split)
		register := c.registers
		c.registers++
		c.emit(instruction{op: opSave, min: int32(register)})
		if err := c.compile(inner); err != nil {
			return err
		}
		c.emit(instruction{op: opMoved, min: int32(register)})
		if r.max < 0 {
			c.emit(instruction{op: opJump, x: start})
			break
		}
	}
	for _, at := range exits {
		s := &c.code[at]
		if s.x, s.y = int32(at+1), c.here(); r.greed == lazy {
			s.x, s.y = s.y, s.x
		}
	}
	return nil
}

// aside compiles what is matched on its own.
func (c *compiler) aside(r *regex) error {
	body := r.parts[0]
	i := instruction{op: map[regexKind]operation{regexAhead: opAhead, regexBehind: opBehind, regexAtomic: opAtomic}[r.kind], negative: r.negative}
	if r.kind == regexBehind {
		width, ok := body.width()
		if !ok {
			return notSupported("something of no fixed width behind")
		}
		i.min = int32(width)
	}
	at := c.emit(i)
	if err := c.compile(body); err != nil {
		return err
	}
	c.emit(instruction{op: opMatch})
	c.code[at].x = c.here()
	return nil
}

// width is the number of characters that r matches, if it is always the same.
func (r *regex) width() (n int, ok bool) {
	switch r.kind {
	case regexSet:
		return 1, true
	case regexEmpty, regexAssert, regexAhead, regexBehind:
		return 0, true
	case regexRepeat:
		n, ok = r.parts[0].width()
		return n * r.min, ok && r.min == r.max && n*r.min < maxPattern
	case regexSequence, regexGroup, regexAtomic:
		for _, part := range r.parts {
			m, ok := part.width()
			if n += m; !ok || n > maxPattern {
				return 0, false
			}
		}
		return n, true
	case regexEither:
		n, ok = r.parts[0].width()
		for _, part := range r.parts {
			m, fixed := part.width()
			ok = ok && fixed && m == n
		}
		return n, ok
	}
	return 0, false
}

// look sets the bytes that branches begin with, from back to front so that each needs
// those behind it once; loops go by what they hold.
func (c *compiler) look() byteSet {
	first := make([]byteSet, len(c.code)+1)
	first[len(c.code)] = anyByte()
	for at := len(c.code) - 1; at >= 0; at-- {
		i := &c.code[at]
		switch i.op {
		case opSet:
			first[at] = bytesOf(i.set)
		case opRepeat:
			first[at] = bytesOf(i.set)
			if i.min == 0 {
				first[at].addAll(first[at+1])
			}
		case opSplit:
			i.firstX, i.firstY = first[i.x], first[i.y]
			first[at].addAll(i.firstX)
			first[at].addAll(i.firstY)
		case opJump:
			first[at] = anyByte() // back to the start of a loop
			if int(i.x) > at {
				first[at] = first[i.x]
			}
		case opSave, opMoved:
			first[at] = first[at+1]
		case opAhead, opBehind, opAssert:
			first[at] = anyByte()
		case opAtomic:
			first[at] = first[at+1]
		default:
			first[at] = anyByte()
		}
	}
	return first[0]
}
