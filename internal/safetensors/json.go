package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// scanner reads the JSON of a header or an index, once from left to right. What it
// returns are parts of the text, so that the text pays for the memory; a header may have
// 100 MB, on which encoding/json spends a minute and gigabytes.
type scanner struct {
	text string
	at   int
}

// maxNesting bounds the values in values that an index may have and that are passed over.
const maxNesting = 100

// next passes over white space and returns the byte that follows, which stays there.
func (s *scanner) next() (byte, error) {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// delim reads one of the bytes of JSON's structure.
func (s *scanner) delim(want byte) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	if c != want {
		return fmt.Errorf("%s, want %c", s.describe(), want)
	}
	s.at++
	return nil
}

// list reads what stands between two brackets: element is called at each element.
func (s *scanner) list(open, end byte, element func() error) error {
	if err := s.delim(open); err != nil {
		return err
	}
	if c, err := s.next(); err == nil && c == end {
		s.at++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		c, err := s.next()
		if err != nil {
			return err
		}
		if c == end {
			s.at++
			return nil
		}
		if err := s.delim(','); err != nil {
			return err
		}
	}
}

// object reads an object: value must read the value of each key. Any error of value names
// the key, but for errTwice.
func (s *scanner) object(value func(key string) error) error {
	return s.list('{', '}', func() error {
		key, err := s.str()
		if err != nil {
			return err
		}
		if err := s.delim(':'); err != nil {
			return err
		}
		switch err := value(key); {
		case err == errTwice:
			return fmt.Errorf("duplicate name %.200q", key)
		case err != nil:
			return fmt.Errorf("%.200q: %w", key, err)
		}
		return nil
	})
}

// errTwice is what the function given to object returns for a key that it knows.
var errTwice = errors.New("duplicate name")

// strings reads an object of strings, of at most maxTensors keys.
func (s *scanner) strings() (map[string]string, error) {
	all := map[string]string{}
	return all, s.object(func(key string) (err error) {
		if _, twice := all[key]; twice {
			return errTwice
		}
		if len(all) == maxTensors {
			return fmt.Errorf("more than %d keys", maxTensors)
		}
		all[key], err = s.str()
		return err
	})
}

// array reads an array of numbers.
func (s *scanner) array(number func(literal string) error) error {
	return s.list('[', ']', func() error {
		literal, err := s.number()
		if err != nil {
			return err
		}
		return number(literal)
	})
}

// str reads a string. Without escapes it is a part of the text.
func (s *scanner) str() (string, error) {
	c, err := s.next()
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", fmt.Errorf("%s, want a string", s.describe())
	}
	escaped := false
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return "", fmt.Errorf("invalid character %q in a string", c)
		case c == '"':
			literal := s.text[s.at : i+1]
			s.at = i + 1
			if !escaped {
				return literal[1 : len(literal)-1], nil
			}
			var v string
			return v, json.Unmarshal([]byte(literal), &v)
		}
	}
	return "", io.ErrUnexpectedEOF
}

// number reads a number and returns it as it is written.
func (s *scanner) number() (string, error) {
	c, err := s.next()
	if err != nil {
		return "", err
	}
	if c != '-' && (c < '0' || c > '9') {
		return "", fmt.Errorf("%s, want a number", s.describe())
	}
	from := s.at
	for s.at < len(s.text) && isWord(s.text[s.at]) {
		s.at++
	}
	literal := s.text[from:s.at]
	if len(literal) > 40 || !json.Valid([]byte(literal)) {
		return "", fmt.Errorf("%.40q is not a number", literal)
	}
	return literal, nil
}

// skip passes over any value.
func (s *scanner) skip(depth int) error {
	c, err := s.next()
	switch {
	case err != nil:
		return err
	case depth > maxNesting:
		return fmt.Errorf("nested more than %d deep", maxNesting)
	case c == '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case c == '[':
		return s.list('[', ']', func() error { return s.skip(depth + 1) })
	case c == '"':
		_, err := s.str()
		return err
	case c == '-' || c >= '0' && c <= '9':
		_, err := s.number()
		return err
	}
	if word := s.word(); word == "true" || word == "false" || word == "null" {
		s.at += len(word)
		return nil
	}
	return fmt.Errorf("invalid character %q at the beginning of a value", c)
}

// end requires that only white space follows.
func (s *scanner) end() error {
	if _, err := s.next(); err == nil {
		return fmt.Errorf("%s after the end of the object", s.describe())
	}
	return nil
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '-' || c == '.'
}

// word is what letters and digits follow, 40 at most.
func (s *scanner) word() string {
	n := 0
	for n < 40 && s.at+n < len(s.text) && isWord(s.text[s.at+n]) {
		n++
	}
	return s.text[s.at : s.at+n]
}

// describe says in an error what stands in the place of something else.
func (s *scanner) describe() string {
	if s.text[s.at] == '"' {
		copied := *s
		v, err := copied.str()
		if err != nil {
			return err.Error()
		}
		return strconv.Quote(v[:min(len(v), 100)])
	}
	if word := s.word(); word != "" {
		return word
	}
	return string(rune(s.text[s.at]))
}
