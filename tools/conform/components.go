package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// component is a kind of a tokenizer's part, in a file of its own.
type component struct {
	file    string
	compare func(c *components, r *report, line []byte) error
}

func componentKinds() []component {
	return []component{
		{"normalizers", (*components).normalizer},
		{"pre_tokenizers", (*components).preTokenizer},
		{"decoders", (*components).decoder},
		{"models", (*components).model},
		{"added_tokens", (*components).model},
		{"post_processors", (*components).postProcessor},
		{"truncation", (*components).truncation},
		{"unicode_sweep", (*components).sweep},
		{"unicode_splits", (*components).splits},
	}
}

// components is the folder of a tokenizer's parts.
type components struct {
	dir     string
	engines sync.Map // of functions that open a tokenizer, by name
}

// componentCases find the lines of every kind of part.
func componentCases(dir string) []testCase {
	set := &components{dir: dir}
	name := filepath.Base(dir)
	cases := strangers(dir, unknown, name, func(file string) bool {
		known := file == "models" || file == "charsmap.b64"
		return known || slices.ContainsFunc(componentKinds(), func(k component) bool { return k.file+".jsonl" == file })
	})
	for _, kind := range componentKinds() {
		group := "component:" + kind.file
		lines, err := readLines(filepath.Join(dir, kind.file+".jsonl"))
		if err != nil {
			cases = append(cases, broken(group, name+"/"+kind.file, err))
		}
		for i, line := range lines {
			id := fmt.Sprintf("%s/%s.jsonl:%d", name, kind.file, i+1)
			cases = append(cases, testCase{group, id, func(_ context.Context, r *report) error { return kind.compare(set, r, line) }})
		}
	}
	return cases
}

// engine opens one of the tokenizers of the folder models, once.
func (c *components) engine(name string) (*engine, error) {
	open, _ := c.engines.LoadOrStore(name, sync.OnceValues(func() (*engine, error) {
		// A folder with nothing but the tokenizer, as it would be beside a model.
		dir, err := os.MkdirTemp("", "goclip-conform")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		b, err := os.ReadFile(filepath.Join(c.dir, "models", filepath.Base(name)+".json"))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), b, 0o644); err != nil {
			return nil, err
		}
		return openEngine(dir)
	}))
	return open.(func() (*engine, error))()
}

// config puts the stored charsmap where a configuration names it.
func (c *components) config(raw json.RawMessage) (json.RawMessage, error) {
	if !strings.Contains(string(raw), `"@charsmap"`) {
		return raw, nil
	}
	b, err := os.ReadFile(filepath.Join(c.dir, "charsmap.b64"))
	if err != nil {
		return nil, err
	}
	return json.RawMessage(strings.ReplaceAll(string(raw), `"@charsmap"`, `"`+strings.TrimSpace(string(b))+`"`)), nil
}

func (c *components) normalizer(r *report, line []byte) error {
	var l struct {
		Config        json.RawMessage
		Input, Output string
	}
	if err := strict(line, &l); err != nil {
		return err
	}
	config, err := c.config(l.Config)
	if err != nil {
		return err
	}
	normalize, err := normalizer(config)
	if err != nil {
		return err
	}
	same(r, "output", []string{normalize(l.Input)}, []string{l.Output})
	return nil
}

func (c *components) preTokenizer(r *report, line []byte) error {
	var l struct {
		Config json.RawMessage
		Input  string
		Output [][3]any // text, from, to
	}
	if err := strict(line, &l); err != nil {
		return err
	}
	split, err := splitter(l.Config)
	if err != nil {
		return err
	}
	var want []span
	for _, o := range l.Output {
		text, _ := o[0].(string)
		from, _ := o[1].(float64)
		to, _ := o[2].(float64)
		want = append(want, span{text, int(from), int(to)})
	}
	same(r, "output", split(l.Input), want)
	return nil
}

func (c *components) decoder(r *report, line []byte) error {
	var l struct {
		Config json.RawMessage
		Tokens []string
		Output string
	}
	if err := strict(line, &l); err != nil {
		return err
	}
	join, err := joiner(l.Config)
	if err != nil {
		return err
	}
	same(r, "output", []string{join(l.Tokens)}, []string{l.Output})
	return nil
}

// model compares a tokenizer of few settings; where the reference refuses a text, so
// must it.
func (c *components) model(r *report, line []byte) error {
	var l struct {
		Tokenizer, Input, Error string
		IDs                     []int32
		Tokens                  []string
		Decoded                 string
		All                     *string `json:"decoded_all"` // with special tokens
	}
	if err := strict(line, &l); err != nil {
		return err
	}
	e, err := c.engine(l.Tokenizer)
	if err != nil {
		return err
	}
	ids, err := e.ids(l.Input, false)
	if l.Error != "" {
		same(r, "refused", []bool{err != nil}, []bool{true})
		return nil
	}
	if err != nil {
		return err
	}
	same(r, "ids", ids, l.IDs)
	tokens, err := e.tokens(l.Input)
	if err != nil {
		return err
	}
	same(r, "tokens", tokens, l.Tokens)
	// Of models there is one text, with special tokens.
	texts := map[bool]*string{false: &l.Decoded, true: l.All}
	if l.All == nil {
		texts = map[bool]*string{true: &l.Decoded}
	}
	for all, want := range texts {
		text, err := e.decode(l.IDs, all)
		if err != nil {
			return err
		}
		same(r, fmt.Sprintf("decoded, special tokens %v", all), []string{text}, []string{*want})
	}
	return nil
}

func (c *components) postProcessor(r *report, line []byte) error {
	var l struct {
		Config    json.RawMessage
		Tokenizer string
		A         string
		B         *string
		Special   bool    `json:"add_special_tokens"`
		Types     []int32 `json:"type_ids"`
		Mask      []int32 `json:"special_mask"`
		IDs       []int32
		Tokens    []string
	}
	if err := strict(line, &l); err != nil {
		return err
	}
	e, err := c.engine(l.Tokenizer)
	if err != nil {
		return err
	}
	text := []string{l.A}
	if l.B != nil {
		text = append(text, *l.B)
	}
	got, err := e.process([][]string{text}, request{PostProcessor: l.Config, Special: l.Special})
	if err != nil {
		return err
	}
	if len(got) != 1 {
		return fmt.Errorf("%d results for one text", len(got))
	}
	same(r, "ids", got[0].ids, l.IDs)
	same(r, "type ids", got[0].types, l.Types)
	same(r, "special mask", got[0].special, l.Mask)
	same(r, "tokens", got[0].tokens, l.Tokens)
	return nil
}

// postProcessorOf returns the post-processor of a tokenizer in the lines that say it.
func (c *components) postProcessorOf(name string) (json.RawMessage, error) {
	lines, err := readLines(filepath.Join(c.dir, "truncation.jsonl"))
	for _, line := range lines {
		var l struct {
			Tokenizer     string
			PostProcessor json.RawMessage `json:"post_processor"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, err
		}
		if l.Tokenizer == name && l.PostProcessor != nil {
			return l.PostProcessor, nil
		}
	}
	return nil, err
}

// truncation compares several texts that are cut and padded together. A line with an
// error has the settings that are refused, in the words of the reference's own program,
// and lacks the post-processor, which is that of the tokenizer's other lines.
func (c *components) truncation(r *report, line []byte) error {
	var l struct {
		Tokenizer     string
		PostProcessor json.RawMessage `json:"post_processor"`
		Truncation    json.RawMessage
		Padding       json.RawMessage
		Inputs        []json.RawMessage
		IDs           [][]int32
		Mask          [][]int32
		Types         [][]int32 `json:"type_ids"`
		Tokens        [][]string
		Overflowing   [][][]int32

		Error               string
		MaxLength           int `json:"max_length"`
		Stride              int
		Strategy, Direction string
	}
	if err := strict(line, &l); err != nil {
		return err
	}
	e, err := c.engine(l.Tokenizer)
	if err != nil {
		return err
	}
	var texts [][]string
	for _, in := range l.Inputs {
		var one string
		text := []string{""}
		if json.Unmarshal(in, &one) == nil {
			text[0] = one
		} else if err := json.Unmarshal(in, &text); err != nil {
			return err
		}
		texts = append(texts, text)
	}
	if l.Error != "" {
		strategy := map[string]string{"longest_first": "LongestFirst", "only_first": "OnlyFirst", "only_second": "OnlySecond"}[l.Strategy]
		direction := map[string]string{"left": "Left", "right": "Right"}[l.Direction]
		l.Truncation, err = json.Marshal(map[string]any{
			"direction": direction, "max_length": l.MaxLength, "strategy": strategy, "stride": l.Stride,
		})
		if err != nil || strategy == "" || direction == "" {
			return errors.Join(err, fmt.Errorf("strategy %q, direction %q", l.Strategy, l.Direction))
		}
		if l.PostProcessor, err = c.postProcessorOf(l.Tokenizer); err != nil {
			return err
		}
	}
	got, err := e.process(texts, request{l.PostProcessor, l.Truncation, l.Padding, true})
	if l.Error != "" && !errors.Is(err, errUnsupported) {
		same(r, "refused", []bool{err != nil}, []bool{true})
		return nil
	}
	if err != nil {
		return err
	}
	if len(got) != len(texts) {
		return fmt.Errorf("%d results for %d texts", len(got), len(texts))
	}
	for i, p := range got {
		same(r, "ids", p.ids, l.IDs[i])
		same(r, "mask", p.mask, l.Mask[i])
		same(r, "type ids", p.types, l.Types[i])
		same(r, "tokens", p.tokens, l.Tokens[i])
		same(r, "number overflowing", []int{len(p.overflowing)}, []int{len(l.Overflowing[i])})
		for j := range min(len(p.overflowing), len(l.Overflowing[i])) {
			same(r, "overflowing", p.overflowing[j], l.Overflowing[i][j])
		}
	}
	return nil
}
