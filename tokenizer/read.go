package tokenizer

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// ReadTokenizer makes a tokenizer of the content of a file tokenizer.json, as the tokenizers
// library writes it: today's spelling and those of earlier years. A part that is not known,
// or a setting that is not supported, is an error with its name.
func ReadTokenizer(data []byte) (*Pipeline, error) {
	p, err := readTokenizer(data)
	return p, in(tokenizerFile, err)
}

func readTokenizer(data []byte) (*Pipeline, error) {
	s := &scanner{data: data}
	parts := settings{}
	var mod model
	var added []addedToken
	err := s.object(func(key []byte) (err error) {
		switch name := string(key); name {
		case "model":
			mod, err = readModel(s)
		case "added_tokens":
			added, err = readAdded(s)
		case "version", "truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder":
			parts[name], err = s.raw()
			return err
		default:
			return s.skip()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	if v, err := get(parts, "version", aString, "1.0"); err != nil || v != "1.0" {
		return nil, errors.Join(err, fmt.Errorf("version is %q, want %q", v, "1.0"))
	}
	if mod == nil {
		return nil, errors.New("model is missing")
	}
	return assemble(parts, mod, added)
}

// assemble makes a tokenizer of its parts.
func assemble(parts settings, m model, added []addedToken) (*Pipeline, error) {
	n, err := read(parts, "normalizer", readNormalizer)
	if err != nil {
		return nil, err
	}
	p, err := newPipeline(m, n, added)
	if err != nil {
		return nil, fmt.Errorf("added_tokens: %w", err)
	}
	if p.pre, err = read(parts, "pre_tokenizer", readPreTokenizer); err != nil {
		return nil, err
	}
	if p.post, err = read(parts, "post_processor", readPostProcessor); err != nil {
		return nil, err
	}
	if p.decoder, err = read(parts, "decoder", readDecoder); err != nil {
		return nil, err
	}
	if p.truncation, err = read(parts, "truncation", readTruncation); err != nil {
		return nil, err
	}
	p.padding, err = read(parts, "padding", readPadding)
	return p, err
}

// A partReader makes a part of its settings.
type partReader[T any] func(m settings, l *limits) (T, error)

// limits bound the parts of a file and how deep their sequences lie in each other: a real
// tokenizer has a dozen.
type limits struct{ parts, depth int }

// read reads a part; where it is null or missing it is nil.
func read[T any](parts settings, name string, f partReader[T]) (part T, err error) {
	if !parts.has(name) {
		return part, nil
	}
	m, err := readSettings(parts[name])
	if err == nil {
		part, err = f(m, new(limits))
	}
	if err != nil {
		var none T
		return none, fmt.Errorf("%s: %w", name, err)
	}
	return part, nil
}

// maxNesting is how deep sequences of parts may lie in each other.
const maxNesting = 8

// readSequence reads the parts of a sequence.
func readSequence[T any](m settings, name string, l *limits, f partReader[T]) ([]T, error) {
	if l.depth++; l.depth > maxNesting {
		return nil, fmt.Errorf("sequences lie more than %d deep in each other", maxNesting)
	}
	defer func() { l.depth-- }()
	list, err := get(m, name, rawList)
	if err != nil {
		return nil, err
	}
	if l.parts += len(list); l.parts > maxParts {
		return nil, fmt.Errorf("more than %d parts", maxParts)
	}
	all := make([]T, len(list))
	for i, data := range list {
		part, err := readSettings(data)
		if err == nil {
			all[i], err = f(part, l)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", name, i, err)
		}
	}
	return all, nil
}

// typeOf returns the type of a part.
func typeOf(m settings) (string, error) { return get(m, "type", aString) }

func readAdded(s *scanner) (all []addedToken, err error) {
	if s.null() {
		return nil, nil
	}
	err = s.array(func() error {
		t, id, err := readAddedToken(s)
		if err != nil {
			return fmt.Errorf("token %d: %w", len(all), err)
		}
		_ = id // the reference counts ids itself
		all = append(all, t)
		return nil
	})
	return all, err
}

func readAddedToken(s *scanner) (t addedToken, id int32, err error) {
	seen := 0
	err = s.object(func(key []byte) (err error) {
		seen++
		switch string(key) {
		case "id":
			id, err = s.natural()
		case "content":
			t.content, err = s.string()
		case "single_word":
			t.word, err = s.boolean()
		case "lstrip":
			t.left, err = s.boolean()
		case "rstrip":
			t.right, err = s.boolean()
		case "normalized":
			t.normalized, err = s.boolean()
		case "special":
			t.special, err = s.boolean()
		default:
			seen--
			err = s.skip()
		}
		return err
	})
	if err == nil && seen != 7 {
		err = fmt.Errorf("%d settings, want id, content, single_word, lstrip, rstrip, normalized and special", seen)
	}
	return t, id, err
}

func readTruncation(m settings, _ *limits) (t *Truncation, err error) {
	t = new(Truncation)
	var length, stride int32
	if length, err = get(m, "max_length", aNumber); err != nil {
		return nil, err
	}
	if stride, err = get(m, "stride", aNumber); err != nil {
		return nil, err
	}
	if t.Strategy, err = getEnum(m, "strategy", strategyNames()); err != nil {
		return nil, err
	}
	if t.Side, err = getEnum(m, "direction", sideNames(), Right); err != nil {
		return nil, err
	}
	t.Length, t.Stride = int(length), int(stride)
	return t, t.validate()
}

func readPadding(m settings, _ *limits) (p *Padding, err error) {
	p = new(Padding)
	multiple, err := get(m, "pad_to_multiple_of", aNumber, 0)
	if err != nil {
		return nil, err
	}
	p.Multiple = int(multiple)
	if p.ID, err = get(m, "pad_id", aNumber); err != nil {
		return nil, err
	}
	if p.Type, err = get(m, "pad_type_id", aNumber); err != nil {
		return nil, err
	}
	if p.Text, err = get(m, "pad_token", aString); err != nil {
		return nil, err
	}
	if p.Side, err = getEnum(m, "direction", sideNames()); err != nil {
		return nil, err
	}
	if name, err := get(m, "strategy", aString); err == nil {
		if name != "BatchLongest" {
			return nil, fmt.Errorf("strategy is %q, want BatchLongest or Fixed", name)
		}
		return p, p.validate()
	}
	fixed, err := readSettings(m["strategy"])
	if err != nil {
		return nil, fmt.Errorf("strategy: %w", err)
	}
	length, err := get(fixed, "Fixed", aNumber)
	p.Length = int(length)
	return p, errors.Join(err, p.validate())
}

// getEnum reads a field that has one of the names.
func getEnum[E ~uint8](m settings, field string, names map[E]string, defaults ...E) (value E, err error) {
	name, err := get(m, field, aString)
	if !m.has(field) && len(defaults) > 0 {
		return defaults[0], nil
	}
	if err != nil {
		return value, err
	}
	for v, n := range names {
		if n == name {
			return v, nil
		}
	}
	return value, notSupported(fmt.Sprintf("%s %.40q", field, name))
}

func readPrecompiled(m settings) (normalizer, error) {
	coded, err := get(m, "precompiled_charsmap", aString)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return nil, fmt.Errorf("precompiled_charsmap: %w", err)
	}
	return newPrecompiled(data)
}
