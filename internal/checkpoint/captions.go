package checkpoint

import (
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
func (c *Checkpoint) LoadTokenizer(files fs.FS) (tok tokenizer.Tokenizer, err error) {
	if files == nil {
		files = c.TokenizerFS()
	}
	s := c.Spec()
	switch o, err := c.captions(&s, files); {
	case err != nil || s.Text == nil:
		return nil, err
	case o != nil:
		framed, err := tokenizer.LoadHuggingFace(files, *o)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return framed, nil
	}
	clean, err := cleanOf(s.TextClean)
	if err != nil {
		return nil, err
	}
	bpe, err := tokenizer.LoadCLIP(files, tokenizer.BPEOptions{Clean: clean})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bpe, nil
}

// captions is how the model's program loads its tokenizer, nil for CLIP's own.
func (c *Checkpoint) captions(s *Spec, files fs.FS) (*tokenizer.HuggingFaceOptions, error) {
	if s.Captions != nil || s.Layout == Own {
		return s.Captions, nil
	}
	if s.Layout == HuggingFace {
		return c.transformersCaptions(files)
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
func (c *Checkpoint) transformersCaptions(files fs.FS) (*tokenizer.HuggingFaceOptions, error) {
	var model, tok struct {
		ModelType string `json:"model_type"`
		Class     string `json:"tokenizer_class"`
	}
	if err := peek(c.TokenizerFS(), hfConfigFile, &model); err != nil {
		return nil, err
	}
	o := new(tokenizer.HuggingFaceOptions)
	switch model.ModelType {
	case "", "clip":
		return nil, nil
	case "siglip", "siglip2":
		if err := peek(files, "tokenizer_config.json", &tok); err != nil {
			return nil, err
		}
		// SigLIP 2's tokenizer is Gemma's, before which its captions were lower-cased in
		// training. Its older files name Gemma's class, which does not do it.
		switch _, missing := fs.Stat(files, "tokenizer.json"); {
		case model.ModelType == "siglip2", strings.HasPrefix(tok.Class, "Gemma"):
			o.Class = tokenizer.ClassSiglip2
		case missing != nil:
			o.Class = tokenizer.ClassSiglip
		}
	}
	return o, nil
}

// peek reads a few fields of a JSON file that need not be there.
func peek(fsys fs.FS, name string, to any) error {
	data, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
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
		o, ok := tok.Options()
		if !ok {
			return errors.New("the tokenizer was not loaded from files, which could be saved")
		}
		s.Captions, s.StripSeparator = &o, o.StripSeparator
		if s.TextClean != "" || o.Clean != tokenizer.CleanWhitespace {
			s.TextClean = o.Clean.String()
		}
	default:
		s.Tokenizer = TokenizerCustom
	}
	return nil
}

// captionsFit reports why a layout's program would give other ids than the model's
// tokenizer, "" where it would not.
func (s *Spec) captionsFit(layout string) error {
	o := s.Captions
	switch {
	case s.Tokenizer == TokenizerCustom:
		return unwritable(layout, "a custom tokenizer")
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
