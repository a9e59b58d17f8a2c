package tokenizer

import (
	"fmt"
	"io/fs"
)

// tikTokens are encodings that tiktoken knows by name, in the form of encoding.json: those
// that open_clip has configurations with, and p50k_base, whose expression is r50k_base's.
func tikTokens() map[string]string {
	const gpt2 = `"special_tokens": {"<|endoftext|>": 50256},
			"pat_str": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"}`
	return map[string]string{
		"r50k_base": `{"ranks": "r50k_base.tiktoken", ` + gpt2,
		"p50k_base": `{"ranks": "p50k_base.tiktoken", ` + gpt2,
		"cl100k_base": `{"ranks": "cl100k_base.tiktoken", "special_tokens": {"<|endoftext|>": 100257, "<|fim_prefix|>": 100258,
			"<|fim_middle|>": 100259, "<|fim_suffix|>": 100260, "<|endofprompt|>": 100276},
			"pat_str": "('s|'S|'t|'T|'re|'rE|'Re|'RE|'ve|'vE|'Ve|'VE|'m|'M|'ll|'lL|'Ll|'LL|'d|'D)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}`,
	}
}

// TikTokenOptions are the settings of open_clip's TikTokenTokenizer. Its zero value is
// what the program does by default.
type TikTokenOptions struct {
	Clean   Clean // zero means [CleanNone]
	NoBegin bool  // no token stands before captions: add_bos is false
	NoEnd   bool  // none behind them: add_eos is false
}

// NewTikToken returns open_clip's TikTokenTokenizer for the tokens of tiktoken. Its end
// token, padding and begin token are the three ids behind the vocabulary; special tokens
// in a caption are text.
func NewTikToken(p *Pipeline, o TikTokenOptions) (*Framed, error) {
	n := int32(p.VocabSize())
	frame := Frame{Clean: o.Clean, Before: []int32{n + 2}, After: []int32{n}, Pad: n + 1}
	if frame.Clean == 0 {
		frame.Clean = CleanNone
	}
	if o.NoBegin {
		frame.Before = nil
	}
	if o.NoEnd {
		frame.After = nil
	}
	return NewFramed(p.Engine(true), frame)
}

// LoadTikToken is [NewTikToken] for an encoding that tiktoken knows by its name, whose
// ranks lie in a folder as NAME.tiktoken. Where there are none, the error is
// [fs.ErrNotExist].
func LoadTikToken(fsys fs.FS, name string, o TikTokenOptions) (*Framed, error) {
	known, ok := tikTokens()[name]
	if !ok {
		return nil, fmt.Errorf("tokenizer: tiktoken's encoding %q is not known; known are cl100k_base, p50k_base and r50k_base", name)
	}
	p, err := readTiktoken(fsys, []byte(known))
	if err != nil {
		return nil, in(name+ranksSuffix, err)
	}
	f, err := NewTikToken(p, o)
	if err != nil {
		return nil, err
	}
	f.source, err = sourceOf(fsys, []string{name + ranksSuffix})
	f.source.tikToken, f.source.encoding = o, name
	return f, err
}

// TikToken returns what [LoadTikToken] loaded the tokenizer with; ok is false where it was
// made otherwise.
func (f *Framed) TikToken() (name string, o TikTokenOptions, ok bool) {
	if f.source == nil || f.source.encoding == "" {
		return "", o, false
	}
	return f.source.encoding, f.source.tikToken, true
}
