package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/goclip/goclip/tokenizer"
)

// vocabName is the vocabulary as openai/CLIP ships it.
const vocabName = "bpe_simple_vocab_16e6.txt.gz"

// tokenizerFiles are those of the folder tokenizer; not all need be there.
var tokenizerFiles = []string{
	"cases.jsonl", "open_clip_clean.jsonl", vocabName, "vocab.json", "merges.txt", "tokenizer.json",
	"tokenizer_config.json", "special_tokens_map.json",
}

// context77 is the length of the rows in cases.jsonl.
const context77 = 77

// captionCases finds the captions, each of which is a case: all forms of the
// vocabulary must give its ids.
func (o *options) captionCases(root string) ([]testCase, error) {
	dir, vocab := filepath.Join(root, "tokenizer"), o.vocab
	if vocab == "" {
		vocab = filepath.Join(dir, vocabName)
	}
	forms := vocabularies(dir, vocab)
	cases := strangers(dir, "captions", "tokenizer", func(file string) bool {
		return slices.Contains(tokenizerFiles, file)
	})
	found := false
	for _, set := range []struct {
		file    string
		compare func(*report, []vocabularyForm, []byte) error
	}{{"cases.jsonl", compareCaption}, {"open_clip_clean.jsonl", compareClean}} {
		path := filepath.Join(dir, set.file)
		if !exists(path) {
			continue
		}
		found = true
		lines, err := readLines(path)
		if err != nil {
			return nil, err
		}
		for i, line := range lines {
			id := fmt.Sprintf("tokenizer/%s:%d", set.file, i+1)
			cases = append(cases, testCase{"captions", id, func(_ context.Context, r *report) error {
				return set.compare(r, forms, line)
			}})
		}
	}
	if !found {
		return nil, errors.New("neither cases.jsonl nor open_clip_clean.jsonl is here")
	}
	return cases, nil
}

func readLines(path string) (lines [][]byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, len(b)+1)
	for s.Scan() {
		if line := bytes.TrimSpace(s.Bytes()); len(line) > 0 {
			lines = append(lines, slices.Clone(line))
		}
	}
	if len(lines) == 0 {
		err = errors.New("the file has no line")
	}
	return lines, errors.Join(err, s.Err())
}

// vocabularyForm is one form of the vocabulary.
type vocabularyForm struct {
	name string
	load func(tokenizer.BPEOptions) (*tokenizer.BPE, error)
}

// vocabularies returns the forms that are in dir. The gzipped one must be there.
func vocabularies(dir, gzipped string) []vocabularyForm {
	forms := []vocabularyForm{form(func(r []io.Reader, o tokenizer.BPEOptions) (*tokenizer.BPE, error) { return tokenizer.LoadBPE(r[0], o) }, gzipped)}
	vocab, merges := filepath.Join(dir, "vocab.json"), filepath.Join(dir, "merges.txt")
	if exists(vocab) || exists(merges) {
		forms = append(forms, form(func(r []io.Reader, o tokenizer.BPEOptions) (*tokenizer.BPE, error) {
			return tokenizer.LoadVocab(r[0], r[1], o)
		}, vocab, merges))
	}
	if all := filepath.Join(dir, "tokenizer.json"); exists(all) {
		forms = append(forms, form(func(r []io.Reader, o tokenizer.BPEOptions) (*tokenizer.BPE, error) {
			return tokenizer.LoadJSON(r[0], o)
		}, all))
	}
	return forms
}

// form loads a tokenizer once for each set of options.
func form(read func([]io.Reader, tokenizer.BPEOptions) (*tokenizer.BPE, error), paths ...string) vocabularyForm {
	var loaded sync.Map // of functions, by options
	return vocabularyForm{filepath.Base(paths[0]), func(o tokenizer.BPEOptions) (*tokenizer.BPE, error) {
		load, _ := loaded.LoadOrStore(o, sync.OnceValues(func() (*tokenizer.BPE, error) {
			var files []io.Reader
			for _, p := range paths {
				f, err := os.Open(p)
				if err != nil {
					return nil, err
				}
				defer f.Close()
				files = append(files, f)
			}
			return read(files, o)
		}))
		return load.(func() (*tokenizer.BPE, error))()
	}}
}

// caption is a line of cases.jsonl.
type caption struct {
	ID          int
	Category    string
	Text, Clean string
	IDs         []int32
	IDs77       []int32
	FTFY        bool
	Truncated   bool
	Same        *bool
	OpenCLIPIDs []int32 `json:"open_clip_ids"`
}

func compareCaption(r *report, forms []vocabularyForm, line []byte) error {
	var c caption
	if err := strict(line, &c); err != nil {
		return err
	}
	openCLIP := c.OpenCLIPIDs
	if c.Same != nil && *c.Same {
		openCLIP = c.IDs
	}
	row := c.IDs77
	switch {
	case len(c.IDs) < 2 || len(openCLIP) < 2:
		return errors.New("ids or open_clip_ids are missing")
	case c.Truncated != (len(c.IDs) > context77):
		return fmt.Errorf("%d ids, but truncated is %v", len(c.IDs), c.Truncated)
	case c.Truncated && row == nil:
		return errors.New("ids77 is missing")
	case row == nil:
		row = append(slices.Clone(c.IDs), make([]int32, context77-len(c.IDs))...)
	}
	same(r, "clean", []string{tokenizer.CleanLower.Text(c.Text)}, []string{c.Clean})
	for _, f := range forms {
		tok, err := f.load(tokenizer.BPEOptions{})
		if err != nil {
			return err
		}
		same(r, "ids from "+f.name, whole(tok, c.Text), c.IDs)
		got := make([]int32, context77)
		_, truncated := tok.Encode(got, c.Text)
		same(r, "ids77 from "+f.name, got, row)
		same(r, "truncated from "+f.name, []bool{truncated}, []bool{c.Truncated})
		if tok, err = f.load(tokenizer.BPEOptions{Specials: tokenizer.OpenCLIPSpecials}); err != nil {
			return err
		}
		same(r, "open_clip_ids from "+f.name, whole(tok, c.Text), openCLIP)
	}
	return nil
}

// whole returns the ids of s between the start and the end token.
func whole(tok *tokenizer.BPE, s string) []int32 {
	return append(append([]int32{tok.StartID()}, tok.Tokens(s)...), tok.EndID())
}

// compareClean compares a line of open_clip_clean.jsonl, which has the ids of a
// text for each way to clean it.
func compareClean(r *report, forms []vocabularyForm, line []byte) error {
	var c struct {
		Text                            string
		Lower, Whitespace, Canonicalize *[]int32
	}
	if err := strict(line, &c); err != nil {
		return err
	}
	for _, mode := range []struct {
		clean tokenizer.Clean
		want  *[]int32
	}{{tokenizer.CleanLower, c.Lower}, {tokenizer.CleanWhitespace, c.Whitespace}, {tokenizer.CleanCanonicalize, c.Canonicalize}} {
		if mode.want == nil {
			return fmt.Errorf("%s is missing", mode.clean)
		}
		for _, f := range forms {
			tok, err := f.load(tokenizer.BPEOptions{Specials: tokenizer.OpenCLIPSpecials, Clean: mode.clean})
			if err != nil {
				return err
			}
			same(r, mode.clean.String()+" from "+f.name, tok.Tokens(c.Text), *mode.want)
		}
	}
	return nil
}

// strict parses JSON and refuses fields that nothing is compared with.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
