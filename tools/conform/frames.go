package main

// What models get of texts: the settings of encode.jsonl.

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/goclip/goclip/tokenizer"
)

// frames are the tokenizers of a folder as models' programs use them, by setting.
type frames struct {
	name, dir string
	open      sync.Map // of functions that open a frame
}

type frame struct {
	tokenizer.Tokenizer
	length int
}

// encode returns what a model gets of a text in one of the reference's settings, which
// name a program, how it cleans and the length: see the tokenizers' README.
func (f *frames) encode(setting, text string) (ids, mask []int32, err error) {
	open, _ := f.open.LoadOrStore(setting, sync.OnceValues(func() (*frame, error) { return f.frame(setting) }))
	t, err := open.(func() (*frame, error))()
	if err != nil {
		return nil, nil, err
	}
	ids, mask = make([]int32, t.length), make([]int32, t.length)
	n, _ := t.Encode(ids, text)
	for i := range mask[:n] {
		mask[i] = 1
	}
	return ids, mask, nil
}

// frame opens a setting: words that name it, and the length, in any order.
func (f *frames) frame(setting string) (*frame, error) {
	program, rest, _ := strings.Cut(setting, " ")
	var words []string
	length := 0
	for _, w := range strings.Fields(strings.ReplaceAll(rest, "(no lower-casing)", "")) {
		if n, err := strconv.Atoi(w); err == nil {
			length = n
		} else {
			words = append(words, w)
		}
	}
	if length <= 0 {
		return nil, fmt.Errorf("the setting %q has no length", setting)
	}
	t, err := f.program(program, words)
	return &frame{t, length}, err
}

func (f *frames) program(program string, words []string) (tokenizer.Tokenizer, error) {
	fsys := os.DirFS(f.dir)
	var o tokenizer.HuggingFaceOptions
	switch program {
	case "hf", "hf.CLIPTokenizerFast", "hf.GemmaTokenizerFast":
	case "hf.ChineseCLIPProcessor":
		o.Class = tokenizer.ClassBERT
	case "hf.Siglip2Tokenizer":
		o.Class = tokenizer.ClassSiglip2
	case "cn_clip.tokenize":
		vocab, err := os.ReadFile(filepath.Join(f.dir, "vocab.txt"))
		if err != nil {
			return nil, err
		}
		return tokenizer.NewCNCLIP(vocab)
	case "open_clip.TikTokenTokenizer":
		return f.tikToken(words)
	case "hf.SiglipTokenizer":
		o.Class = tokenizer.ClassSiglip
	case "open_clip.HFTokenizer", "open_clip":
		o.Clean = tokenizer.CleanWhitespace
	default:
		return nil, notSupported("the program %q", program)
	}
	for _, w := range words {
		switch {
		case strings.HasPrefix(w, "language="):
			// transformers sets the language back to the file's before each text.
		case w == "strip_sep_token":
			o.StripSeparator = true
		case w == "legacy_behaviour":
			o.LanguageLast = true
		case w == "Gemma": // of other files than SigLIP 2's, which say so themselves
			o.Class = tokenizer.ClassSiglip2
		case w == "roberta", w == "+":
		default:
			if err := o.Clean.UnmarshalText([]byte(w)); err != nil {
				return nil, notSupported("the word %q of a setting", w)
			}
		}
	}
	if f.name == "clip" || program == "hf.CLIPTokenizerFast" {
		o.Class = tokenizer.ClassCLIP
	}
	return tokenizer.LoadHuggingFace(fsys, o)
}

func (f *frames) tikToken(words []string) (tokenizer.Tokenizer, error) {
	var o tokenizer.TikTokenOptions
	for _, w := range words {
		if w == "add_bos=False" {
			o.NoBegin = true
		} else if err := o.Clean.UnmarshalText([]byte(w)); err != nil {
			return nil, notSupported("the word %q of a setting", w)
		}
	}
	return tokenizer.LoadTikToken(os.DirFS(f.dir), f.name, o)
}
