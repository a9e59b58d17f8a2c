package checkpoint

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/goclip/goclip/tokenizer"
)

// LoadTokenizer loads the tokenizer that the layout's own program has for the model: from
// files, or where these are nil from the checkpoint's folder. It is nil where there are
// no files of one.
func (c *Checkpoint) LoadTokenizer(files fs.FS) (tokenizer.Tokenizer, error) {
	s := c.Spec()
	if files == nil {
		files = c.TokenizerFS()
	}
	if s.Text == nil || files == nil {
		return nil, nil
	}
	tok, err := c.loadTokenizer(&s, files)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return tok, err
}

func (c *Checkpoint) loadTokenizer(s *Spec, files fs.FS) (tokenizer.Tokenizer, error) {
	clean, err := cleanOf(s.TextClean)
	if err != nil {
		return nil, err
	}
	if s.Tiktoken != "" {
		o := s.TikToken
		if o.Clean = tokenizer.CleanNone; s.TextClean != "" {
			o.Clean = clean
		}
		return loaded(tokenizer.LoadTikToken(files, s.Tiktoken, o))
	}
	o, err := c.captions(s, files)
	if err != nil {
		return nil, err
	}
	if o != nil {
		return loaded(tokenizer.LoadHuggingFace(files, *o))
	}
	return loaded(tokenizer.LoadCLIP(files, tokenizer.BPEOptions{Clean: clean}))
}

// loaded keeps a nil pointer from becoming a tokenizer.
func loaded[T tokenizer.Tokenizer](tok T, err error) (tokenizer.Tokenizer, error) {
	if err != nil {
		return nil, err
	}
	return tok, nil
}

// captions is how the model's program loads its tokenizer, nil for CLIP's own.
func (c *Checkpoint) captions(s *Spec, files fs.FS) (*tokenizer.HuggingFaceOptions, error) {
	switch s.Layout {
	case Own:
		return s.Captions, nil
	case HuggingFace:
		return c.transformersCaptions(s, files)
	case SentenceTransformers, MCLIP:
		return new(tokenizer.HuggingFaceOptions), nil
	}
	if s.HFTokenizer == "" {
		return nil, nil
	}
	o := &tokenizer.HuggingFaceOptions{Clean: tokenizer.CleanWhitespace, StripSeparator: s.StripSeparator}
	if s.TextClean != "" {
		var err error
		if o.Clean, err = cleanOf(s.TextClean); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// transformersCaptions is what transformers does for the class of model that config.json
// names. CLIP's tokenizer is our own.
func (c *Checkpoint) transformersCaptions(s *Spec, files fs.FS) (*tokenizer.HuggingFaceOptions, error) {
	var model, tok struct {
		ModelType string `json:"model_type"`
		Class     string `json:"tokenizer_class"`
	}
	if err := peek(c.TokenizerFS(), hfConfigFile, &model); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(model.ModelType, "siglip") {
		if s.CLIPTokenizer() {
			return nil, nil
		}
		return new(tokenizer.HuggingFaceOptions), nil
	}
	if err := peek(files, "tokenizer_config.json", &tok); err != nil {
		return nil, err
	}
	// SigLIP 2's tokenizer is Gemma's, before which its captions were lower-cased in
	// training. Its older files name Gemma's class, which does not do it.
	o := new(tokenizer.HuggingFaceOptions)
	switch _, missing := fs.Stat(files, "tokenizer.json"); {
	case strings.HasPrefix(model.ModelType, "siglip2"), strings.HasPrefix(tok.Class, "Gemma"):
		o.Class = tokenizer.ClassSiglip2
	case missing != nil:
		o.Class = tokenizer.ClassSiglip
	}
	return o, nil
}

// peek reads a few fields of a JSON file that need not be there.
func peek(fsys fs.FS, name string, to any) error {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var data []byte
	if err == nil {
		defer f.Close()
		data, err = readSmall(f, name)
	}
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// SetTokenizer notes the tokenizer that a model is saved with, which brings files of its
// own. One that no layout knows is an error.
func (s *Spec) SetTokenizer(tok tokenizer.Tokenizer) error {
	s.Tokenizer = TokenizerFiles
	switch tok := tok.(type) {
	case *tokenizer.BPE:
		s.Captions, s.TextClean = nil, cleanName(tok.Options().Clean)
	case *tokenizer.Framed:
		return s.setFramed(tok)
	default:
		s.Tokenizer = TokenizerCustom
	}
	return nil
}

func (s *Spec) setFramed(tok *tokenizer.Framed) error {
	usual := tokenizer.CleanWhitespace // in open_clip, where nothing is said
	if name, o, ok := tok.TikToken(); ok {
		usual = tokenizer.CleanNone
		s.Tiktoken, s.TikToken, s.Captions = name, o, nil
		s.setClean(cmp.Or(o.Clean, usual), usual)
		return nil
	}
	o, ok := tok.Options()
	if !ok {
		return errors.New("the tokenizer was not loaded from files, which could be saved")
	}
	s.Captions, s.Tiktoken, s.StripSeparator = &o, "", o.StripSeparator
	s.setClean(o.Clean, usual)
	return nil
}

// setClean notes a way of cleaning; one that is usual keeps its name, or none.
func (s *Spec) setClean(c, usual tokenizer.Clean) {
	switch {
	case c == tokenizer.CleanNone:
		s.TextClean = ""
	case c != usual || s.TextClean != "":
		s.TextClean = c.String()
	}
}

// captionsFit reports why a layout's program would give other ids than the model's
// tokenizer, "" where it would not.
func (s *Spec) captionsFit(layout string) error {
	o := s.Captions
	switch {
	case s.Tokenizer == TokenizerCustom:
		return unwritable(layout, "a custom tokenizer")
	case s.Tiktoken != "" && layout != OpenCLIP:
		return unwritable(layout, "a tokenizer of tiktoken's")
	case o == nil || layout == Own:
		return nil
	case layout == HuggingFace && o.Clean != tokenizer.CleanNone:
		return unwritable(layout, "the tokenizer's cleaning %q", o.Clean)
	case layout == OpenCLIP && (o.Clean == tokenizer.CleanNone || o.Class != 0 || o.LanguageLast || o.Language != ""):
		return unwritable(layout, "the tokenizer as transformers uses it")
	case layout == OpenCLIP && s.HFTokenizer == "":
		return unwritable(layout, "a tokenizer without a name")
	}
	return nil
}

// cleanName is how a layout names a way of cleaning captions; CLIP's own has no name.
func cleanName(c tokenizer.Clean) string {
	if c == tokenizer.CleanLower {
		return ""
	}
	return c.String()
}

// cleanOf is the way of cleaning captions that a layout's name means.
func cleanOf(name string) (c tokenizer.Clean, err error) {
	if name == "" {
		return tokenizer.CleanLower, nil
	}
	if err := c.UnmarshalText([]byte(name)); err != nil {
		return 0, fmt.Errorf("the way of cleaning captions %w", err)
	}
	return c, nil
}
