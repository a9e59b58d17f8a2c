package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	casesFile  = "cases.jsonl"
	encodeFile = "encode.jsonl"
)

// isTokenizerSet looks for cases that have what a tokenizer decodes, which CLIP's own
// captions lack.
func isTokenizerSet(dir string) bool {
	return slices.ContainsFunc(list(dir), func(name string) bool {
		lines, err := readLines(filepath.Join(dir, name, casesFile))
		return err == nil && bytes.Contains(lines[0], []byte(`"decoded"`))
	})
}

// tokenizerCases finds the texts of every tokenizer and of its components.
func (o *options) tokenizerCases(dir string) ([]testCase, error) {
	var cases []testCase
	for _, name := range list(dir) {
		path := filepath.Join(dir, name)
		switch {
		case exists(filepath.Join(path, casesFile)):
			cases = append(cases, o.textCases(dir, name)...)
		case isDir(path) && exists(filepath.Join(path, "normalizers.jsonl")):
			cases = append(cases, componentCases(path)...)
		case name == "index.json":
			cases = append(cases, countCases(dir)...)
		case name == "captions-10k.txt": // of the reference's benchmark, which expects nothing
		case !document(name):
			cases = append(cases, broken(unknown, name, errors.New("no case uses this file")))
		}
	}
	return cases, nil
}

// tokenizerFiles are what tokenizers ship, any of which a folder may hold.
func tokenizerFile(name string) bool {
	known := []string{casesFile, encodeFile, "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
		"added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "encoding.json"}
	return slices.Contains(known, name) || slices.Contains([]string{".model", ".tiktoken"}, filepath.Ext(name))
}

// vocabularyOf returns the folder with a tokenizer's files: the set's own; or, where
// that has none, one below -vocabularies; or for CLIP's the folder tokenizer of another
// set, given or beside.
func (o *options) vocabularyOf(set, name string) (string, error) {
	own := filepath.Join(set, name)
	if slices.ContainsFunc(list(own), func(f string) bool { return tokenizerFile(f) && !strings.HasSuffix(f, ".jsonl") }) {
		return own, nil
	}
	if dir := filepath.Join(o.vocabularies, name); o.vocabularies != "" && isDir(dir) {
		return dir, nil
	}
	if name == "clip" {
		for _, other := range append(slices.Clone(o.sets), filepath.Join(set, "..", "fixtures")) {
			if dir := filepath.Join(other, "tokenizer"); exists(filepath.Join(dir, "tokenizer.json")) {
				return dir, nil
			}
		}
	}
	return "", fmt.Errorf("no vocabulary of %s is stored: -vocabularies names the folder that fetch_vocab.sh fills", name)
}

// textLine is a line of cases.jsonl.
type textLine struct {
	ID          int
	Kind, Text  string
	IDs         []int32
	Tokens      []string
	Decoded     string
	SPM         []int32 `json:"spm_ids"`
	ExactScores []int32 `json:"ids_exact_scores"`
	Special     []int32 `json:"ids_special"`
}

// encodeLine is a line of encode.jsonl. What transformers 5 does otherwise is stored and
// no target: the file counts.
type encodeLine struct {
	Setting, Text string
	IDs, Mask     []int32
	Newer         json.RawMessage `json:"ids_transformers5"`
}

// textCases are the cases of one tokenizer, a line each. What sentencepiece makes of a
// text where it differs is a case of a group of its own.
func (o *options) textCases(set, name string) []testCase {
	dir, group := filepath.Join(set, name), "tokenizer:"+name
	open := sync.OnceValues(func() (*engine, error) {
		files, err := o.vocabularyOf(set, name)
		if err != nil {
			return nil, err
		}
		return openEngine(files)
	})
	openFrames := sync.OnceValues(func() (*frames, error) {
		files, err := o.vocabularyOf(set, name)
		return &frames{name: name, dir: files}, err
	})
	openPieces := sync.OnceValues(func() (*pieces, error) { return newPieces(dir) })
	cases := strangers(dir, group, name, tokenizerFile)
	lines := func(file string, found func(id string, line []byte)) {
		all, err := readLines(filepath.Join(dir, file))
		if err != nil {
			cases = append(cases, broken(group, name+"/"+file, err))
		}
		for i, line := range all {
			found(fmt.Sprintf("%s/%s:%d", name, file, i+1), line)
		}
	}
	add := func(group, id string, run func(r *report) error) {
		cases = append(cases, testCase{group, id, func(_ context.Context, r *report) error { return run(r) }})
	}
	lines(casesFile, func(id string, line []byte) {
		add(group, id, func(r *report) error { return compareLine(r, open, line) })
		add(group, id+" decoded", func(r *report) error { return compareDecoding(r, open, line) })
		if bytes.Contains(line, []byte(`"spm_ids"`)) {
			add("tokenizer:sentencepiece", id+" by sentencepiece", func(r *report) error { return comparePieces(r, openPieces, line) })
		}
	})
	lines(encodeFile, func(id string, line []byte) {
		add(group, id, func(r *report) error { return compareEncode(r, openFrames, line) })
	})
	return cases
}

// compareLine compares the ids of a text. An ulp in a score may decide a tie: then
// either answer is right.
func compareLine(r *report, open func() (*engine, error), line []byte) error {
	c, e, err := readLine(open, line)
	if err != nil {
		return err
	}
	got, err := e.ids(c.Text, false)
	if err != nil {
		return err
	}
	want := c.IDs
	if c.ExactScores != nil && slices.Equal(got, c.ExactScores) {
		want = c.ExactScores
	}
	same(r, "ids", got, want)
	if c.Special != nil {
		ids, err := e.ids(c.Text, true)
		if err != nil {
			return err
		}
		same(r, "ids with special tokens", ids, c.Special)
	}
	return nil
}

// compareDecoding compares the strings of tokens, and the text that their ids stand for.
func compareDecoding(r *report, open func() (*engine, error), line []byte) error {
	c, e, err := readLine(open, line)
	if err != nil {
		return err
	}
	if c.Tokens != nil {
		tokens, err := e.tokens(c.Text)
		if err != nil {
			return err
		}
		same(r, "tokens", tokens, c.Tokens)
	}
	text, err := e.decode(c.IDs, false)
	if err != nil {
		return err
	}
	same(r, "decoded", []string{text}, []string{c.Decoded})
	return nil
}

// readLine parses a line and opens its tokenizer.
func readLine(open func() (*engine, error), line []byte) (c textLine, e *engine, err error) {
	if err := strict(line, &c); err != nil {
		return c, nil, err
	}
	e, err = open()
	return c, e, err
}

func compareEncode(r *report, open func() (*frames, error), line []byte) error {
	var c encodeLine
	if err := strict(line, &c); err != nil {
		return err
	}
	f, err := open()
	if err != nil {
		return err
	}
	ids, mask, err := f.encode(c.Setting, c.Text)
	if err != nil {
		return err
	}
	same(r, "ids by "+c.Setting, ids, c.IDs)
	if c.Mask != nil {
		same(r, "mask by "+c.Setting, mask, c.Mask)
	}
	return nil
}

// countCases compare index.json with the number of lines that are there, so that a file
// cut short shows.
func countCases(dir string) []testCase {
	var index map[string]struct {
		Cases  int
		Encode map[string]struct{ Rows int }
	}
	if err := readJSON(filepath.Join(dir, "index.json"), &index); err != nil {
		return []testCase{broken("indexes", "index.json", err)}
	}
	var cases []testCase
	for name, entry := range index {
		cases = append(cases, testCase{"indexes", "index.json " + name, func(_ context.Context, r *report) error {
			lines, err := readLines(filepath.Join(dir, name, casesFile))
			if err != nil {
				return err
			}
			same(r, "cases", []int{len(lines)}, []int{entry.Cases})
			if lines, err = readLines(filepath.Join(dir, name, encodeFile)); err != nil {
				return err
			}
			rows := make(map[string]int)
			for _, line := range lines {
				var c encodeLine
				if err := strict(line, &c); err != nil {
					return err
				}
				rows[c.Setting]++
			}
			for setting, n := range rows {
				same(r, setting, []int{n}, []int{entry.Encode[setting].Rows})
			}
			same(r, "settings", []int{len(rows)}, []int{len(entry.Encode)})
			return nil
		}})
	}
	slices.SortFunc(cases, func(a, b testCase) int { return strings.Compare(a.name, b.name) })
	return cases
}
