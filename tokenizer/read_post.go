package tokenizer

import (
	"errors"
	"fmt"
	"slices"
)

func readPostProcessor(m settings, l *limits) (postProcessor, error) {
	kind, err := typeOf(m)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		all, err := readSequence(m, "processors", l, readPostProcessor)
		return postProcessors(all), err
	case "BertProcessing":
		cls, sep, err := readEnds(m)
		return bertProcessor{cls, sep}, err
	case "RobertaProcessing":
		p := robertaProcessor{}
		if p.cls, p.sep, err = readEnds(m); err == nil {
			p.trim, err = get(m, "trim_offsets", aBool)
		}
		if err == nil {
			p.prefix, err = get(m, "add_prefix_space", aBool)
		}
		return p, err
	case "ByteLevel":
		p := byteLevelProcessor{}
		if p.trim, err = get(m, "trim_offsets", aBool); err == nil {
			p.prefix, err = get(m, "add_prefix_space", aBool)
		}
		return p, err
	case "TemplateProcessing":
		return readTemplate(m)
	}
	return nil, notSupported(fmt.Sprintf("type %.40q", kind))
}

// readEnds reads the tokens at the start and the end of a text, each as ["[SEP]", 102].
func readEnds(m settings) (cls, sep Token, err error) {
	pair := func(s *scanner) (t Token, err error) {
		t.Special = true
		n := 0
		err = s.array(func() (err error) {
			switch n++; n {
			case 1:
				t.Text, err = s.string()
			case 2:
				t.ID, err = s.natural()
			default:
				err = errors.New("want a token and its id")
			}
			return err
		})
		if err == nil && n != 2 {
			err = errors.New("want a token and its id")
		}
		return t, err
	}
	if cls, err = get(m, "cls", pair); err == nil {
		sep, err = get(m, "sep", pair)
	}
	return cls, sep, err
}

func readTemplate(m settings) (p template, err error) {
	special, err := get(m, "special_tokens", readSpecials)
	if err != nil {
		return p, err
	}
	if p.single, err = readTemplateParts(m, "single", special); err != nil {
		return p, err
	}
	if slices.ContainsFunc(p.single, func(part templatePart) bool { return part.text > 0 }) {
		return p, errors.New("single: B stands in a template for one text")
	}
	p.pair, err = readTemplateParts(m, "pair", special)
	return p, err
}

// readSpecials reads the tokens that a template's names stand for.
func readSpecials(s *scanner) (all map[string][]Token, err error) {
	all = map[string][]Token{}
	err = s.object(func(key []byte) error {
		name := string(key)
		data, err := s.raw()
		if err != nil {
			return err
		}
		m, err := readSettings(data)
		if err != nil {
			return err
		}
		ids, err := get(m, "ids", listOf(aNumber))
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		texts, err := get(m, "tokens", listOf(aString))
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if len(ids) != len(texts) || len(all) == maxParts {
			return fmt.Errorf("%q has %d ids and %d tokens", name, len(ids), len(texts))
		}
		tokens := make([]Token, len(ids))
		for i := range ids {
			tokens[i] = Token{ID: ids[i], Text: texts[i], Special: true}
		}
		all[name] = tokens
		return nil
	})
	return all, err
}

func listOf[T any](read field[T]) field[[]T] {
	return func(s *scanner) (all []T, err error) {
		err = s.array(func() error {
			if len(all) == maxParts {
				return errMany
			}
			v, err := read(s)
			all = append(all, v)
			return err
		})
		return all, err
	}
}

// readTemplateParts reads {"Sequence": {"id": "A", "type_id": 0}} and the same with
// SpecialToken.
func readTemplateParts(m settings, name string, special map[string][]Token) ([]templatePart, error) {
	list, err := get(m, name, rawList)
	if err != nil {
		return nil, err
	}
	parts := make([]templatePart, len(list))
	for i, data := range list {
		if parts[i], err = readTemplatePart(data, special); err != nil {
			return nil, fmt.Errorf("%s %d: %w", name, i, err)
		}
	}
	return parts, nil
}

func readTemplatePart(data []byte, special map[string][]Token) (part templatePart, err error) {
	outer, err := readSettings(data)
	if err != nil {
		return part, err
	}
	kind := "Sequence"
	if outer.has("SpecialToken") {
		kind = "SpecialToken"
	}
	if len(outer) != 1 || !outer.has(kind) {
		return part, errors.New("want either Sequence or SpecialToken")
	}
	inner, err := readSettings(outer[kind])
	if err != nil {
		return part, err
	}
	id, err := get(inner, "id", aString)
	if err != nil {
		return part, err
	}
	if part.kind, err = get(inner, "type_id", aNumber); err != nil {
		return part, err
	}
	if kind == "SpecialToken" {
		tokens, ok := special[id]
		if !ok {
			return part, fmt.Errorf("special_tokens lacks %q", id)
		}
		part.tokens = make([]Token, len(tokens))
		for i, t := range tokens {
			t.Type = part.kind
			part.tokens[i] = t
		}
		return part, nil
	}
	if id != "A" && id != "B" {
		return part, fmt.Errorf("the text is %.20q, want A or B", id)
	}
	part.text = int(id[0] - 'A')
	return part, nil
}
