package main

// The tokenizers of goclip, as the comparisons ask for them.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/goclip/goclip/tokenizer"
)

// engine is a tokenizer of goclip.
type engine struct {
	p    *tokenizer.Pipeline
	file []byte // its tokenizer.json, if it has one
}

// openEngine loads the tokenizer of a folder, as the files in it ask.
func openEngine(dir string) (*engine, error) {
	p, err := tokenizer.Load(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	file, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return &engine{p, file}, err
}

// ids returns the ids of a text, all of them, with the special tokens that stand around
// it. With specials those that are written in the text are special too, where that is a
// question (tiktoken's allowed_special).
func (e *engine) ids(text string, specials bool) ([]int32, error) {
	if e.file == nil && !specials {
		return e.p.PlainIDs(nil, text, true)
	}
	return e.p.IDs(nil, text, true)
}

// tokens returns the strings of a text's tokens.
func (e *engine) tokens(text string) ([]string, error) {
	all, err := e.p.Encode(text)
	if err != nil {
		return nil, err
	}
	return texts(all), nil
}

func texts(e tokenizer.Encoding) (all []string) {
	for _, t := range e.Tokens {
		all = append(all, t.Text)
	}
	return all
}

// decode returns the text of ids, the special ones left out unless all are asked for.
func (e *engine) decode(ids []int32, all bool) (string, error) {
	return e.p.Decode(ids, all), nil
}

// onePart makes a tokenizer that has one part besides a model.
func onePart(name string, config json.RawMessage) (*tokenizer.Pipeline, error) {
	return with([]byte(`{"model": {"type": "WordLevel", "vocab": {"x": 0}, "unk_token": "x"}}`), map[string]json.RawMessage{name: config})
}

// with makes a tokenizer of a file with other parts in it.
func with(file []byte, parts map[string]json.RawMessage) (*tokenizer.Pipeline, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(file, &all); err != nil {
		return nil, err
	}
	for name, config := range parts {
		if config != nil {
			all[name] = config
		}
	}
	file, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return tokenizer.ReadTokenizer(file)
}

// normalizer returns one of the tokenizers library's normalizers from its configuration.
func normalizer(config json.RawMessage) (func(string) string, error) {
	p, err := onePart("normalizer", config)
	if err != nil {
		return nil, err
	}
	return func(text string) string {
		out, err := p.Normalize(text)
		if err != nil {
			return err.Error()
		}
		return out
	}, nil
}

// span is a piece of a text, from one code point to another.
type span struct {
	text     string
	from, to int
}

// splitter returns one of the library's pre-tokenizers.
func splitter(config json.RawMessage) (func(string) []span, error) {
	p, err := onePart("pre_tokenizer", config)
	if err != nil {
		return nil, err
	}
	return func(text string) (all []span) {
		pieces, err := p.Pieces(text)
		if err != nil {
			return []span{{text: err.Error()}}
		}
		for _, q := range pieces {
			all = append(all, span{q.Text, utf8.RuneCountInString(text[:q.From]), utf8.RuneCountInString(text[:q.To])})
		}
		if text == "" && idle(config) {
			return []span{{}}
		}
		return all
	}, nil
}

// idle reports whether a pre-tokenizer does nothing: on its own it leaves even the empty
// text as it is, which in a tokenizer never comes so far.
func idle(config json.RawMessage) bool {
	var c struct{ PreTokenizers []json.RawMessage }
	return json.Unmarshal(config, &c) == nil && c.PreTokenizers != nil && len(c.PreTokenizers) == 0
}

// joiner returns one of the library's decoders.
func joiner(config json.RawMessage) (func([]string) string, error) {
	p, err := onePart("decoder", config)
	if err != nil {
		return nil, err
	}
	return p.Join, nil
}

// processed is a text, or a pair of them, with all that goes to a model.
type processed struct {
	ids, types, mask, special []int32
	tokens                    []string
	overflowing               [][]int32
}

// request is what is asked of a tokenizer besides the text: the parts that stand in for
// its own.
type request struct {
	PostProcessor, Truncation, Padding json.RawMessage
	Special                            bool // add special tokens
}

// process encodes texts together; each is one string or two.
func (e *engine) process(inputs [][]string, q request) ([]processed, error) {
	p, err := with(e.file, map[string]json.RawMessage{"post_processor": q.PostProcessor, "truncation": q.Truncation, "padding": q.Padding})
	if err != nil {
		return nil, err
	}
	var in []tokenizer.Input
	for _, t := range inputs {
		switch len(t) {
		case 1:
			in = append(in, tokenizer.Input{Text: t[0]})
		case 2:
			in = append(in, tokenizer.Input{Text: t[0], Second: t[1], Pair: true})
		default:
			return nil, fmt.Errorf("%d texts in one", len(t))
		}
	}
	encodings, err := p.EncodeBatch(in, q.Special)
	if err != nil {
		return nil, err
	}
	all := make([]processed, len(encodings))
	for i, enc := range encodings {
		r := processed{ids: enc.IDs(), tokens: texts(enc)}
		for _, t := range enc.Tokens {
			r.types = append(r.types, t.Type)
			r.mask = append(r.mask, bit(!t.Padding))
			r.special = append(r.special, bit(t.Special))
		}
		for _, o := range enc.Overflowing {
			r.overflowing = append(r.overflowing, o.IDs())
		}
		all[i] = r
	}
	return all, nil
}

func bit(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
