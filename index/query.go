package index

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is what a part of a query is.
type Kind uint8

// The kinds of a query's parts.
const (
	Words Kind = iota // a text
	Like              // the key of an entry, after like:
	File              // the name of an image file, after image:
)

// Part is one of the things that a query asks for, or against.
type Part struct {
	Weight float64 // below 0 for what is not wanted
	Kind   Kind
	Text   string // the words, key or name
}

// MaxParts bounds the parts of a query.
const MaxParts = 64

// ParseQuery reads a query as people write it. Most are words, and these are one part:
//
//	a dog on a beach
//
// A plus or a minus before a word makes that word a part of its own, which is wanted or not; so
// does a number with an asterisk, which is its weight. Several words stand in quotes:
//
//	beach at night -people
//	beach −"a crowd of people"
//	2*dog 0.5*"in the snow"
//
// After like: stands the key of an entry, after image: the name of a file, with or without sign
// and weight; a key or name with spaces is in quotes:
//
//	like:2024/0123.jpg +"at night"
//	image:"my dog.jpg" -grass
//
// In quotes \" is a quote and \\ a backslash. Signs, numbers and quotes within a word or alone are
// part of the words, so that "black-and-white", "sunset - 5 pm" and "a sign that says "stop"" are
// what they were; − (U+2212), which nobody writes in a word, is a minus also before a space. A
// query in quotes from its beginning to its end is words, whatever is in it.
//
//	query  = { space | part | word }
//	part   = [ "+" | "-" | "−" {space} ] [ number "*" ] [ "like:" | "image:" ] ( word | quoted ), not a word alone
//	quoted = '"' { character | '\"' | '\\' } '"'
func ParseQuery(query string) ([]Part, error) {
	if !utf8.ValidString(query) {
		return nil, fmt.Errorf("index: query %.80q is not valid UTF-8", query)
	}
	s := scanner{rest: strings.TrimSpace(query)}
	if text, ok := s.literal(); ok {
		return []Part{{1, Words, text}}, nil
	}
	var parts []Part
	var words []string
	at := -1 // of the words' part
	for {
		s.rest = strings.TrimLeftFunc(s.rest, unicode.IsSpace)
		if s.rest == "" {
			break
		}
		p, ok, err := s.part()
		if err != nil {
			return nil, fmt.Errorf("index: query %.80q: %w", query, err)
		}
		if ok {
			parts = append(parts, p)
		} else {
			if at < 0 {
				at = len(parts)
				parts = append(parts, Part{1, Words, ""})
			}
			words = append(words, s.word())
		}
		if len(parts) > MaxParts {
			return nil, fmt.Errorf("index: a query of more than %d parts", MaxParts)
		}
	}
	if len(parts) == 0 {
		return nil, errors.New("index: the query is empty")
	}
	if at >= 0 {
		parts[at].Text = strings.Join(words, " ")
	}
	return parts, nil
}

// scanner takes a query apart from its beginning.
type scanner struct{ rest string }

// literal is a query in quotes from beginning to end.
func (s *scanner) literal() (string, bool) {
	try := scanner{s.rest}
	if !strings.HasPrefix(try.rest, `"`) {
		return "", false
	}
	text, err := try.quoted()
	return text, err == nil && try.rest == "" && text != ""
}

// word takes all up to the next space.
func (s *scanner) word() string {
	end := strings.IndexFunc(s.rest, unicode.IsSpace)
	if end < 0 {
		end = len(s.rest)
	}
	w := s.rest[:end]
	s.rest = s.rest[end:]
	return w
}

// part takes a part with a sign, a weight or a kind, if the rest begins with one.
func (s *scanner) part() (p Part, ok bool, err error) {
	try := scanner{s.rest}
	p.Weight = 1
	signed := false
	if after, minus := strings.CutPrefix(try.rest, "−"); minus {
		p.Weight, signed = -1, true
		try.rest = strings.TrimLeftFunc(after, unicode.IsSpace)
	} else if try.rest[0] == '+' || try.rest[0] == '-' {
		if signed = true; try.rest[0] == '-' {
			p.Weight = -1
		}
		try.rest = try.rest[1:]
	}
	if w, after, weighted := weight(try.rest); weighted {
		p.Weight *= w
		try.rest, signed = after, true
	}
	for prefix, kind := range map[string]Kind{"like:": Like, "image:": File} {
		if after, is := strings.CutPrefix(try.rest, prefix); is && beginsWord(after) {
			p.Kind, try.rest, signed = kind, after, true
			break
		}
	}
	if !signed || !beginsWord(try.rest) || p.Kind == Words && strings.ContainsAny(try.rest[:1], "+-*") {
		return Part{}, false, nil
	}
	if try.rest[0] != '"' {
		p.Text = try.word()
	} else if p.Text, err = try.quoted(); err != nil {
		return Part{}, false, err
	}
	if p.Text == "" {
		return Part{}, false, errors.New(`nothing is between the quotes`)
	}
	s.rest = try.rest
	return p, true, nil
}

func beginsWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && !unicode.IsSpace(r)
}

// weight takes a number and its asterisk.
func weight(s string) (w float64, rest string, ok bool) {
	digits, rest, ok := strings.Cut(s, "*")
	if !ok || digits == "" || len(digits) > 20 || strings.Trim(digits, "0123456789.") != "" || !beginsWord(rest) {
		return 0, s, false
	}
	w, err := strconv.ParseFloat(digits, 64)
	return w, rest, err == nil && w > 0 && w <= 1000
}

// quoted takes a text in quotes, behind which a space or the end is.
func (s *scanner) quoted() (string, error) {
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '\\' && i+1 < len(s.rest) && (s.rest[i+1] == '"' || s.rest[i+1] == '\\'):
			i++
			b.WriteByte(s.rest[i])
		case c == '"':
			if beginsWord(s.rest[i+1:]) {
				return "", fmt.Errorf("%.20q follows a quote, want a space", s.rest[i+1:])
			}
			s.rest = s.rest[i+1:]
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("the quote before %.40q is never closed", s.rest[1:])
}

// String is a query of this part alone.
func (p Part) String() string {
	sign, kind, number := "+", map[Kind]string{Like: "like:", File: "image:"}[p.Kind], ""
	if p.Weight < 0 {
		sign = "-"
	}
	if w := math.Abs(p.Weight); w != 1 {
		number = strconv.FormatFloat(w, 'f', -1, 64) + "*"
	}
	return sign + number + kind + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.Text) + `"`
}
