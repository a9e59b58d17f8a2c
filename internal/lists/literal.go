package lists

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// element is one string of a list as programs write them, with the key before it if there
// is one.
type element struct {
	key, value string
	line       int
}

// literal reads quoted strings with commas between and behind them: elements of Python's
// lists and dicts, or of a row of CSV. Lines and comments count as white space.
type literal struct {
	text    string
	at      int
	line    int // of counted
	counted int
}

func (p *literal) lineHere() int {
	p.line += strings.Count(p.text[p.counted:p.at], "\n")
	p.counted = p.at
	return p.line
}

func (p *literal) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n':
			p.at++
		case '#':
			end := strings.IndexByte(p.text[p.at:], '\n')
			if end < 0 {
				p.at = len(p.text)
				return
			}
			p.at += end
		default:
			return
		}
	}
}

// take passes over a character of set.
func (p *literal) take(set string) bool {
	if p.at < len(p.text) && strings.IndexByte(set, p.text[p.at]) >= 0 {
		p.at++
		return true
	}
	return false
}

// before is what may stand before a quote: Python's kinds of strings, and the function
// that CLIP's published templates are.
var before = regexp.MustCompile(`^(?:lambda +(\w+) *: *)?[fFrRuU]?['"]`)

var numberKey = regexp.MustCompile(`^\d{1,9}`)

// elements reads up to one of the closing brackets, or to the text's end where there are
// none.
func (p *literal) elements(closing string) (list []element, err error) {
	for {
		p.space()
		switch {
		case closing != "" && p.take(closing):
			return list, nil
		case p.at == len(p.text) && closing == "":
			return list, nil
		case p.at == len(p.text):
			return nil, fmt.Errorf("line %d: a bracket is never closed", p.lineHere())
		}
		e := element{line: p.lineHere()}
		if e.value = numberKey.FindString(p.text[p.at:]); e.value != "" {
			p.at += len(e.value)
			if e.key = e.value; !p.colon() {
				return nil, fmt.Errorf("line %d: %q is not quoted, and no key with a colon behind it", e.line, e.key)
			}
			e.value, err = p.quoted()
		} else if e.value, err = p.quoted(); err == nil && p.colon() {
			e.key = e.value
			e.value, err = p.quoted()
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", e.line, err)
		}
		list = append(list, e)
		p.space()
		if !p.take(",") && p.at < len(p.text) && (closing == "" || strings.IndexByte(closing, p.text[p.at]) < 0) {
			return nil, fmt.Errorf("line %d: %.20q behind %.40q, want a comma", p.lineHere(), p.text[p.at:], e.value)
		}
	}
}

func (p *literal) colon() bool {
	p.space()
	found := p.take(":")
	p.space()
	return found
}

// quoted reads one string. A quote within it is escaped, or doubled as in CSV.
func (p *literal) quoted() (string, error) {
	m := before.FindStringSubmatch(p.text[p.at:])
	if m == nil {
		return "", fmt.Errorf("%.40q is not quoted", p.text[p.at:])
	}
	p.at += len(m[0])
	quote := m[0][len(m[0])-1]
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '\n':
			return "", errors.New("a quote is never closed")
		case c == '\\' && p.at < len(p.text) && (p.text[p.at] == quote || p.text[p.at] == '\\'):
			b.WriteByte(p.text[p.at])
			p.at++
		case c == quote && p.at < len(p.text) && p.text[p.at] == quote:
			b.WriteByte(quote)
			p.at++
		case c == quote:
			value := b.String()
			if m[1] != "" {
				value = strings.ReplaceAll(value, "{"+m[1]+"}", "{}")
			}
			return value, nil
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a quote is never closed")
}
