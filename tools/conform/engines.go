package main

// The tokenizers of goclip, as the comparisons ask for them.

import (
	"encoding/json"
	"os"

	"github.com/goclip/goclip/tokenizer"
)

// engine is a tokenizer of goclip.
type engine struct{ bpe *tokenizer.BPE }

// openEngine loads the tokenizer of a folder, as the files in it ask.
func openEngine(dir string) (*engine, error) {
	bpe, err := tokenizer.Load(os.DirFS(dir), tokenizer.BPEOptions{})
	if err != nil {
		return nil, err
	}
	return &engine{bpe}, nil
}

// ids returns the ids of a text, all of them, with the special tokens that stand around
// it. With specials those that are written in the text are special too, where that is a
// question (tiktoken's allowed_special).
func (e *engine) ids(text string, specials bool) ([]int32, error) {
	if specials {
		return nil, notSupported("special tokens in a text on demand")
	}
	return whole(e.bpe, text), nil
}

// tokens returns the strings of ids.
func (e *engine) tokens([]int32) ([]string, error) {
	return nil, notSupported("the strings of tokens")
}

// decode returns the text of ids, the special ones left out unless all are asked for.
func (e *engine) decode([]int32, bool) (string, error) {
	return "", notSupported("texts of ids")
}

// normalizer returns one of the tokenizers library's normalizers from its configuration.
func normalizer(json.RawMessage) (func(string) string, error) {
	return nil, notSupported("normalizers on their own")
}

// span is a piece of a text, from one code point to another.
type span struct {
	text     string
	from, to int
}

// splitter returns one of the library's pre-tokenizers.
func splitter(json.RawMessage) (func(string) []span, error) {
	return nil, notSupported("pre-tokenizers on their own")
}

// joiner returns one of the library's decoders.
func joiner(json.RawMessage) (func([]string) string, error) {
	return nil, notSupported("decoders on their own")
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
func (e *engine) process([][]string, request) ([]processed, error) {
	return nil, notSupported("pairs, truncation and padding")
}
