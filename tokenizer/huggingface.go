package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/enum"
)

// Class is a tokenizer class of transformers: what it does beside its files, such as the
// tokens that it puts around a text.
type Class uint8

// The classes that do something beside their files, by the names that
// tokenizer_config.json gives them, without "Fast". Zero is the one that it names; any
// other there is [ClassPlain].
const (
	// ClassPlain does what tokenizer.json says and no more.
	ClassPlain Class = 1 + iota
	// ClassBERT takes from tokenizer_config.json whether letters become small.
	ClassBERT
	// ClassCLIP fills up with its end token.
	ClassCLIP
	// ClassRoBERTa has its pieces from a byte-level BPE.
	ClassRoBERTa
	// ClassT5 ends texts with </s>.
	ClassT5
	// ClassXLMRoberta numbers SentencePiece's pieces as fairseq does.
	ClassXLMRoberta
	// ClassNLLB begins texts with their language.
	ClassNLLB
	// ClassGemma takes from tokenizer_config.json whether <bos> and <eos> are put
	// around texts.
	ClassGemma
	// ClassSiglip is SigLIP's, over SentencePiece itself.
	ClassSiglip
	// ClassSiglip2 is Gemma's with small letters and <eos>.
	ClassSiglip2
)

func classNames() map[Class]string {
	return map[Class]string{
		ClassPlain: "PreTrainedTokenizer", ClassBERT: "BertTokenizer", ClassCLIP: "CLIPTokenizer",
		ClassRoBERTa: "RobertaTokenizer", ClassT5: "T5Tokenizer", ClassXLMRoberta: "XLMRobertaTokenizer",
		ClassNLLB: "NllbTokenizer", ClassGemma: "GemmaTokenizer", ClassSiglip: "SiglipTokenizer", ClassSiglip2: "Siglip2Tokenizer",
	}
}

// String returns the name of c.
func (c Class) String() string { return enum.String(c, classNames()) }

// MarshalText returns the name of c.
func (c Class) MarshalText() ([]byte, error) { return enum.Marshal(c, classNames()) }

// UnmarshalText reads a name.
func (c *Class) UnmarshalText(text []byte) error { return enum.Unmarshal(c, text, classNames()) }

// classOf is the class of a name, with or without "Fast"; several classes do the same.
func classOf(name string) (Class, bool) {
	name = strings.TrimSuffix(name, "Fast")
	switch name {
	case "DistilBertTokenizer", "ElectraTokenizer":
		return ClassBERT, true
	case "MT5Tokenizer":
		return ClassT5, true
	}
	var c Class
	return c, c.UnmarshalText([]byte(name)) == nil
}

// HuggingFaceOptions are what a folder does not tell. They are comparable, and JSON gives
// them back.
type HuggingFaceOptions struct {
	// Clean is what is done to captions first; zero means [CleanNone], as in
	// transformers. open_clip's HFTokenizer has [CleanWhitespace] where its
	// configuration has none.
	Clean Clean `json:"clean,omitempty"`
	// Class overrides the one of tokenizer_config.json.
	Class Class `json:"class,omitempty"`
	// StripSeparator makes separators padding (open_clip's strip_sep_token).
	StripSeparator bool `json:"strip_separator,omitempty"`
	// Language is a token of NLLB's, such as fra_Latn; empty means the file's src_lang,
	// or eng_Latn. (open_clip has a setting of the name, which transformers undoes before
	// each text.)
	Language string `json:"language,omitempty"`
	// LanguageLast puts the language behind a text (transformers' legacy_behaviour).
	LanguageLast bool `json:"language_last,omitempty"`
}

// LoadHuggingFace reads a tokenizer as transformers' AutoTokenizer does from a folder with
// tokenizer.json, or, where that is missing, a SentencePiece model or vocab.txt; with
// tokenizer_config.json and special_tokens_map.json, if they are there. What the class
// changes in the file's pipeline is changed. Where no file is a tokenizer's, the error is
// [fs.ErrNotExist].
func LoadHuggingFace(fsys fs.FS, o HuggingFaceOptions) (*Framed, error) {
	if o.Clean == 0 {
		o.Clean = CleanNone
	}
	c, err := readClass(fsys)
	if err != nil {
		return nil, err
	}
	if o.Class != 0 {
		c.class = o.Class
	}
	if err := enum.Valid(c.class, classNames()); err != nil {
		return nil, fmt.Errorf("tokenizer: Class %w", err)
	}
	f, err := c.framed(fsys, o)
	if err != nil {
		return nil, err
	}
	f.source, err = sourceOf(fsys, sourceFiles())
	f.source.options = o
	return f, err
}

func (c *classConfig) framed(fsys fs.FS, o HuggingFaceOptions) (*Framed, error) {
	if c.class == ClassSiglip {
		data, err := readFile(fsys, "spiece.model")
		if err != nil {
			return nil, in("spiece.model", err)
		}
		return NewSiglip(data)
	}
	p, err := c.load(fsys)
	if err != nil {
		return nil, err
	}
	if p, err = c.change(p); err != nil {
		return nil, err
	}
	frame := Frame{Clean: o.Clean}
	if frame.Before, frame.After, err = c.around(p, o); err != nil {
		return nil, err
	}
	if frame.Pad, err = c.pad(p); err != nil {
		return nil, err
	}
	if o.StripSeparator {
		sep, ok := p.ID(c.names["sep_token"])
		if !ok {
			return nil, fmt.Errorf("tokenizer: there is no separator %q to make padding", c.names["sep_token"])
		}
		frame.Blank = []int32{sep}
	}
	return NewFramed(p.Engine(false), frame)
}

// classConfig is what a folder's smaller files say.
type classConfig struct {
	class    Class
	names    map[string]string // of special tokens, "pad_token" and so on
	language string
	lower    bool
	accents  *bool
	han      bool
	begin    bool // add_bos_token
	end      bool // add_eos_token
	last     bool // legacy_behaviour
	extra    int  // extra_ids
	added    []addedToken
}

// tokenName is a token in these files: a string, or an object with its content.
type tokenName string

func (n *tokenName) UnmarshalJSON(data []byte) error {
	var object struct{ Content string }
	if json.Unmarshal(data, (*string)(n)) == nil {
		return nil
	}
	err := json.Unmarshal(data, &object)
	*n = tokenName(object.Content)
	return err
}

var specialNames = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

func readClass(fsys fs.FS) (*classConfig, error) {
	all := map[string]json.RawMessage{}
	if err := readOptional(fsys, "tokenizer_config.json", &all); err != nil {
		return nil, err
	}
	c := &classConfig{class: ClassPlain, names: map[string]string{}, lower: true, han: true, language: "eng_Latn", extra: 100}
	name := ""
	value := func(key string, to any) (err error) {
		if raw, ok := all[key]; ok && string(raw) != "null" {
			if err = json.Unmarshal(raw, to); err != nil {
				err = fmt.Errorf("tokenizer: tokenizer_config.json: %s: %w", key, err)
			}
		}
		return err
	}
	err := errors.Join(value("tokenizer_class", &name), value("src_lang", &c.language), value("do_lower_case", &c.lower),
		value("strip_accents", &c.accents), value("tokenize_chinese_chars", &c.han), value("legacy_behaviour", &c.last), value("extra_ids", &c.extra))
	if err != nil {
		return nil, err
	}
	if class, known := classOf(name); known {
		c.class = class
	}
	c.begin = c.class == ClassGemma // of the class by itself
	if err := errors.Join(value("add_bos_token", &c.begin), value("add_eos_token", &c.end)); err != nil {
		return nil, err
	}
	for _, key := range specialNames {
		var n tokenName
		if err := value(key, &n); err != nil {
			return nil, err
		}
		c.names[key] = string(n)
	}
	if err := c.readAdded(all["added_tokens_decoder"]); err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer_config.json: added_tokens_decoder: %w", err)
	}
	if c.extra < 0 || c.extra > maxExtra {
		return nil, fmt.Errorf("tokenizer: tokenizer_config.json: extra_ids is %d, want 0 to %d", c.extra, maxExtra)
	}
	if c.added == nil {
		older := map[string]json.RawMessage{}
		if err := readOptional(fsys, "special_tokens_map.json", &older); err != nil {
			return nil, err
		}
		for _, key := range specialNames {
			var n tokenName
			if json.Unmarshal(older[key], &n) == nil && n != "" {
				c.names[key] = string(n)
			}
		}
	}
	return c, nil
}

// maxExtra is the most extra_ids; T5 has 100.
const maxExtra = 1 << 16

// readAdded reads the added tokens by their ids.
func (c *classConfig) readAdded(data json.RawMessage) error {
	if data == nil {
		return nil
	}
	var byID map[int32]struct {
		Content                             string
		LStrip, RStrip, Normalized, Special bool
		SingleWord                          bool `json:"single_word"`
	}
	if err := json.Unmarshal(data, &byID); err != nil {
		return err
	}
	c.added = []addedToken{}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		t := byID[id]
		c.added = append(c.added, addedToken{content: t.Content, left: t.LStrip, right: t.RStrip, normalized: t.Normalized,
			special: t.Special, word: t.SingleWord})
	}
	return nil
}

// readOptional reads a JSON file that need not be there.
func readOptional(fsys fs.FS, name string, to any) error {
	data, err := readFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if err = json.Unmarshal(data, to); err != nil {
			err = fmt.Errorf("tokenizer: %s: %w", name, err)
		}
	}
	return err
}

// load reads the pipeline of the folder's files: a SentencePiece model counts where there is
// no tokenizer.json.
func (c *classConfig) load(fsys fs.FS) (*Pipeline, error) {
	if _, err := fs.Stat(fsys, tokenizerFile); err != nil {
		if p, err := c.loadSentencePiece(fsys); p != nil || err != nil {
			return p, err
		}
	}
	return Load(fsys)
}

// change is what the class does to the file's pipeline.
func (c *classConfig) change(p *Pipeline) (*Pipeline, error) {
	switch n, isBERT := p.normalizer.(bertNormalizer); {
	case c.class == ClassSiglip2 && p.normalizer == nil:
		return p.withNormalizer(lowercase{})
	case c.class == ClassSiglip2:
		return p.withNormalizer(normalizers{lowercase{}, p.normalizer})
	case c.class == ClassBERT && isBERT:
		n.lower, n.ideographs, n.accents = c.lower, c.han, c.lower
		if c.accents != nil {
			n.accents = *c.accents
		}
		return p.withNormalizer(n)
	}
	return p, nil
}

func (p *Pipeline) withNormalizer(n normalizer) (*Pipeline, error) {
	q, err := newPipeline(p.model, n, p.added.list)
	if err != nil {
		return nil, err
	}
	q.pre, q.post, q.decoder, q.truncation, q.padding = p.pre, p.post, p.decoder, p.truncation, p.padding
	return q, nil
}

// around returns the ids that stand around a text.
func (c *classConfig) around(p *Pipeline, o HuggingFaceOptions) (before, after []int32, err error) {
	ids := func(names ...string) (ids []int32) {
		for _, name := range names {
			id, ok := p.ID(name)
			if !ok && err == nil {
				err = fmt.Errorf("tokenizer: there is no token %q, which is to stand around texts", name)
			}
			ids = append(ids, id)
		}
		return ids
	}
	name := func(key, usual string) string {
		if c.names[key] != "" {
			return c.names[key]
		}
		return usual
	}
	switch c.class {
	case ClassNLLB:
		language := o.Language
		if language == "" {
			language = c.language
		}
		if o.LanguageLast || c.last {
			return nil, ids(name("eos_token", "</s>"), language), err
		}
		return ids(language), ids(name("eos_token", "</s>")), err
	case ClassGemma:
		if c.begin {
			before = ids(name("bos_token", "<bos>"))
		}
		if c.end {
			after = ids(name("eos_token", "<eos>"))
		}
		return before, after, err
	case ClassSiglip2:
		return nil, ids(name("eos_token", "<eos>")), err
	}
	if o.Language != "" {
		return nil, nil, fmt.Errorf("tokenizer: the language %q is asked for, but %v has none", o.Language, c.class)
	}
	before, after = p.around()
	return before, after, nil
}

// around returns the ids that the post-processor puts around a text.
func (p *Pipeline) around() (before, after []int32) {
	if p.post == nil {
		return nil, nil
	}
	const text = -1
	for _, e := range p.post.process([]Encoding{{Tokens: []Token{{ID: text}}}}, true) {
		for _, t := range e.Tokens {
			before = append(before, t.ID)
		}
	}
	if at := slices.Index(before, text); at >= 0 {
		return before[:at], before[at+1:]
	}
	return before, nil
}

// pad returns the id of padding: the one of the folder's files, the class's, or of the
// usual names the first that is there.
func (c *classConfig) pad(p *Pipeline) (int32, error) {
	names := []string{"<pad>", "[PAD]"}
	if c.class == ClassCLIP {
		names = []string{"<|endoftext|>"}
	}
	if name := c.names["pad_token"]; name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if id, ok := p.ID(name); ok {
			return id, nil
		}
	}
	return 0, fmt.Errorf("tokenizer: there is no token %q, which is to fill texts up", names)
}
