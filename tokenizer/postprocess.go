package tokenizer

import "unicode/utf8"

// A postProcessor puts special tokens around one text or two.
type postProcessor interface {
	// added is the number of special tokens.
	added(pair bool) int
	// process changes the texts, and may make more or fewer of them; they are joined.
	process(all []Encoding, special bool) []Encoding
}

// postProcessors work one after another.
type postProcessors []postProcessor

func (s postProcessors) added(pair bool) int {
	n := 0
	for _, p := range s {
		n += p.added(pair)
	}
	return n
}

func (s postProcessors) process(all []Encoding, special bool) []Encoding {
	for _, p := range s {
		all = p.process(all, special)
	}
	return all
}

// around puts tokens before and behind an encoding and its overflowing parts.
func (e Encoding) around(before, after []Token) Encoding {
	tokens := make([]Token, 0, len(before)+len(e.Tokens)+len(after))
	tokens = append(append(append(tokens, before...), e.Tokens...), after...)
	over := make([]Encoding, len(e.Overflowing))
	for i, o := range e.Overflowing {
		over[i] = o.around(before, after)
	}
	return Encoding{tokens, over}
}

// setType tells a model which text the tokens are of.
func (e Encoding) setType(kind int32) {
	for i := range e.Tokens {
		e.Tokens[i].Type = kind
	}
}

// bertProcessor is [CLS] A [SEP] B [SEP].
type bertProcessor struct{ cls, sep Token }

func (p bertProcessor) added(pair bool) int {
	if pair {
		return 3
	}
	return 2
}

func (p bertProcessor) process(all []Encoding, special bool) []Encoding {
	if !special {
		return all
	}
	all[0] = all[0].around([]Token{p.cls}, []Token{p.sep})
	for i := 1; i < len(all); i++ {
		sep := p.sep
		sep.Type = 1
		all[i] = all[i].around(nil, []Token{sep})
	}
	return all
}

// robertaProcessor is <s> A </s> </s> B </s>, all of one type.
type robertaProcessor struct {
	cls, sep     Token
	trim, prefix bool // white space is no part of tokens' offsets; but for a prefix
}

func (p robertaProcessor) added(pair bool) int {
	if pair {
		return 4
	}
	return 2
}

func (p robertaProcessor) process(all []Encoding, special bool) []Encoding {
	for i, e := range all {
		if p.trim {
			e.trim(p.prefix)
		}
		e.setType(0)
		if !special {
			continue
		}
		for _, o := range e.Overflowing {
			o.setType(0)
		}
		first := p.cls
		if i > 0 {
			first = p.sep
		}
		all[i] = e.around([]Token{first}, []Token{p.sep})
	}
	return all
}

// byteLevelProcessor only trims offsets.
type byteLevelProcessor struct{ trim, prefix bool }

func (byteLevelProcessor) added(bool) int { return 0 }

func (p byteLevelProcessor) process(all []Encoding, _ bool) []Encoding {
	for _, e := range all {
		if p.trim {
			e.trim(p.prefix)
		}
	}
	return all
}

// trim takes white space off the offsets of tokens; but not one space at the start of the
// text, if it was put there.
func (e Encoding) trim(prefix bool) {
	blank := func(r rune) bool { return r == 'Ġ' || isSpace(r) }
	for i := range e.Tokens {
		t := &e.Tokens[i]
		leading, trailing := 0, 0
		for _, r := range t.Text {
			if !blank(r) {
				break
			}
			leading++
		}
		for s := t.Text; s != ""; trailing++ {
			r, n := utf8.DecodeLastRuneInString(s)
			if !blank(r) {
				break
			}
			s = s[:len(s)-n]
		}
		if leading > 0 {
			if (i == 0 || t.From == 0) && prefix && leading == 1 {
				leading = 0
			}
			t.From = min(t.From+leading, t.To)
		}
		if trailing > 0 && t.To >= trailing {
			t.To = max(t.To-trailing, t.From)
		}
	}
	for _, o := range e.Overflowing {
		o.trim(prefix)
	}
}

// template puts special tokens where it says.
type template struct{ single, pair []templatePart }

// A templatePart is a text, or tokens that stand for none.
type templatePart struct {
	text   int // 0 or 1
	kind   int32
	tokens []Token // nil: the text
}

func (p template) parts(pair bool) []templatePart {
	if pair {
		return p.pair
	}
	return p.single
}

func (p template) added(pair bool) int {
	n := 0
	for _, part := range p.parts(pair) {
		n += len(part.tokens)
	}
	return n
}

func (p template) process(all []Encoding, special bool) []Encoding {
	var out []Encoding
	for _, part := range p.parts(len(all) == 2) {
		switch {
		case part.tokens == nil:
			// A text may be there twice, with different types.
			e := all[part.text].around(nil, nil)
			e.setType(part.kind)
			out = append(out, e)
		case special:
			out = append(out, Encoding{Tokens: part.tokens})
		}
	}
	return out
}
