package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads JSON from front to back, once, and keeps nothing of it: a vocabulary of
// a quarter of a million entries is read in a few milliseconds, and a file cannot ask for
// more memory than it brings.
type scanner struct {
	data  []byte
	at    int
	depth int
	text  []byte // of the last string with escapes
}

// maxDepth is how deep values may lie in each other, as in the reference's own parser.
const maxDepth = 127

var errDeep = fmt.Errorf("values lie more than %d deep in each other", maxDepth)

func (s *scanner) failed(want string) error {
	if s.at >= len(s.data) {
		return fmt.Errorf("the file ends, want %s", want)
	}
	return fmt.Errorf("byte %d is %q, want %s", s.at, s.data[s.at], want)
}

// peek returns the next byte that is no white space, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// accept reads a byte if it is next.
func (s *scanner) accept(c byte) bool {
	if s.peek() == c && s.at < len(s.data) {
		s.at++
		return true
	}
	return false
}

// object calls f for each key, to read the value. The key is valid until f reads.
func (s *scanner) object(f func(key []byte) error) error {
	return s.list('{', '}', "an object", func() error {
		key, err := s.bytes()
		if err != nil {
			return err
		}
		if !s.accept(':') {
			return s.failed(`":"`)
		}
		return f(key)
	})
}

// array calls f for each element, to read it.
func (s *scanner) array(f func() error) error { return s.list('[', ']', "an array", f) }

func (s *scanner) list(first, last byte, what string, f func() error) error {
	if !s.accept(first) {
		return s.failed(what)
	}
	if s.depth++; s.depth > maxDepth {
		return errDeep
	}
	if !s.accept(last) {
		for {
			if err := f(); err != nil {
				return err
			}
			if s.accept(last) {
				break
			}
			if !s.accept(',') {
				return s.failed(fmt.Sprintf("%q or %q", ',', last))
			}
		}
	}
	s.depth--
	return nil
}

// null reads null if it is next.
func (s *scanner) null() bool { return s.peek() == 'n' && s.word("null") }

func (s *scanner) word(w string) bool {
	if len(s.data)-s.at < len(w) || string(s.data[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

func (s *scanner) boolean() (bool, error) {
	s.peek()
	switch {
	case s.word("true"):
		return true, nil
	case s.word("false"):
		return false, nil
	}
	return false, s.failed("true or false")
}

func (s *scanner) string() (string, error) {
	b, err := s.bytes()
	return string(b), err
}

// bytes reads a string. What it returns is valid until the next one is read.
func (s *scanner) bytes() ([]byte, error) {
	if !s.accept('"') {
		return nil, s.failed("a string")
	}
	start := s.at
	ascii := true
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			text := s.data[start:s.at]
			s.at++
			if !ascii && !utf8.Valid(text) {
				return nil, fmt.Errorf("the string at byte %d is not UTF-8", start-1)
			}
			return text, nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, s.failed("no control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, s.failed("the end of a string")
}

// escaped reads a string on from its first escape.
func (s *scanner) escaped(start int) ([]byte, error) {
	s.text = append(s.text[:0], s.data[start:s.at]...)
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		switch {
		case c == '"':
			if !utf8.Valid(s.text) {
				return nil, fmt.Errorf("the string at byte %d is not UTF-8", start-1)
			}
			return s.text, nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c < ' ':
			s.at--
			return nil, s.failed("no control character in a string")
		default:
			s.text = append(s.text, c)
		}
	}
	return nil, s.failed("the end of a string")
}

func (s *scanner) escape() error {
	if s.at >= len(s.data) {
		return s.failed("an escape")
	}
	c := s.data[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
		s.text = append(s.text, c)
	case 'b':
		s.text = append(s.text, '\b')
	case 'f':
		s.text = append(s.text, '\f')
	case 'n':
		s.text = append(s.text, '\n')
	case 'r':
		s.text = append(s.text, '\r')
	case 't':
		s.text = append(s.text, '\t')
	case 'u':
		r, err := s.hex()
		if err != nil {
			return err
		}
		if utf16.IsSurrogate(r) {
			if !s.word(`\u`) {
				return s.failed("the second half of a surrogate pair")
			}
			low, err := s.hex()
			if err != nil {
				return err
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return fmt.Errorf("byte %d: half a surrogate pair", s.at)
			}
		}
		s.text = utf8.AppendRune(s.text, r)
	default:
		s.at--
		return s.failed("an escape")
	}
	return nil
}

func (s *scanner) hex() (rune, error) {
	if len(s.data)-s.at < 4 {
		return 0, s.failed("four hexadecimal digits")
	}
	n, err := strconv.ParseUint(string(s.data[s.at:s.at+4]), 16, 16)
	if err != nil {
		return 0, s.failed("four hexadecimal digits")
	}
	s.at += 4
	return rune(n), nil
}

// digits reads all that a number may consist of.
func (s *scanner) digits() []byte {
	s.peek()
	start := s.at
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case '0' <= c && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			s.at++
			continue
		}
		break
	}
	return s.data[start:s.at]
}

func (s *scanner) float() (float64, error) {
	text := s.digits()
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q at byte %d is no number", text, s.at-len(text))
	}
	return f, nil
}

// maxNatural is the largest id: one more is the size of its vocabulary, and an int, too.
const maxNatural = 1<<31 - 2

// natural reads a whole number that may be an id or a length.
func (s *scanner) natural() (int32, error) {
	text := s.digits()
	n := int64(0)
	ok := len(text) > 0 && len(text) <= 10
	for _, c := range text {
		ok = ok && '0' <= c && c <= '9'
		n = n*10 + int64(c-'0')
	}
	if !ok || n > maxNatural {
		return 0, fmt.Errorf("%.20q at byte %d is no whole number from 0 to %d", text, s.at-len(text), maxNatural)
	}
	return int32(n), nil
}

// raw reads a value and returns it as it is written.
func (s *scanner) raw() ([]byte, error) {
	s.peek()
	start, depth := s.at, s.depth
	err := s.skip()
	s.depth = depth
	return s.data[start:s.at], err
}

func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(func([]byte) error { return s.skip() })
	case c == '[':
		return s.array(s.skip)
	case c == '"':
		_, err := s.bytes()
		return err
	case c == '-' || '0' <= c && c <= '9':
		_, err := s.float()
		return err
	case s.null():
		return nil
	}
	_, err := s.boolean()
	return err
}

// end is an error if anything follows.
func (s *scanner) end() error {
	if s.peek(); s.at < len(s.data) {
		return s.failed("the end")
	}
	return nil
}

// maxFields is how many settings a part of a tokenizer may have.
const maxFields = 64

// settings are the fields of an object, each as it is written; of equal keys the last.
type settings map[string][]byte

func readSettings(data []byte) (settings, error) {
	s, all := scanner{data: data}, settings{}
	err := s.object(func(key []byte) error {
		name := string(key)
		value, err := s.raw()
		if all[name] = value; len(all) > maxFields {
			return fmt.Errorf("more than %d fields", maxFields)
		}
		return err
	})
	return all, err
}

// has reports whether a field is there and not null.
func (m settings) has(name string) bool {
	return len(m[name]) > 0 && string(m[name]) != "null"
}

// A field reads a value, for [settings.get].
type field[T any] func(s *scanner) (T, error)

// get reads a field; where it is missing or null it returns the defaults, if there is one.
func get[T any](m settings, name string, read field[T], defaults ...T) (value T, err error) {
	if !m.has(name) {
		if len(defaults) > 0 {
			return defaults[0], nil
		}
		return value, fmt.Errorf("%s is missing", name)
	}
	s := scanner{data: m[name]}
	if value, err = read(&s); err == nil {
		err = s.end()
	}
	if err != nil {
		return value, fmt.Errorf("%s: %w", name, err)
	}
	return value, nil
}

func aString(s *scanner) (string, error) { return s.string() }
func aBool(s *scanner) (bool, error)     { return s.boolean() }
func aNumber(s *scanner) (int32, error)  { return s.natural() }

func aRune(s *scanner) (rune, error) {
	b, err := s.bytes()
	if err != nil {
		return 0, err
	}
	r, n := utf8.DecodeRune(b)
	if n == 0 || n != len(b) {
		return 0, fmt.Errorf("%q, want one character", b)
	}
	return r, nil
}

var errMany = errors.New("too many")

// maxParts bounds the parts of a tokenizer, and what their lists hold.
const maxParts = 64

// rawList reads the elements of an array, each as it is written.
func rawList(s *scanner) (all [][]byte, err error) {
	err = s.array(func() error {
		if len(all) == maxParts {
			return errMany
		}
		e, err := s.raw()
		all = append(all, e)
		return err
	})
	return all, err
}
