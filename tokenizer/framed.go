package tokenizer

import (
	"fmt"
	"slices"
	"sync"

	"github.com/goclip/goclip/internal/enum"
)

// A Frame is what a model's own program does around an engine: how it cleans captions,
// and what it puts before and after their tokens.
type Frame struct {
	Clean  Clean   // required
	Before []int32 // ids before a caption's
	After  []int32 // ids after them; they stay where a caption is cut
	Pad    int32   // the id that fills the rest

	// Blank are ids that become Pad, as open_clip does to CLIPA's separators.
	Blank []int32
	// OneEnd leaves After out where a caption ends with it already, as transformers'
	// SiglipTokenizer does.
	OneEnd bool
}

// Framed is a [Tokenizer] that gives the ids that a model's own program gives: it cleans a
// caption, has an engine turn it into ids, cuts these to the context, and puts them
// between special tokens and padding.
//
// A Framed is immutable and safe for concurrent use.
type Framed struct {
	engine  Engine
	frame   Frame
	vocab   int
	source  *source   // nil where it was not loaded from a folder
	scratch sync.Pool // of *[]int32
}

// An Engine turns texts into ids, all of them and nothing around them. A [SentencePiece]
// is one, and so is what [Pipeline.Engine] returns.
type Engine interface {
	// AppendIDs appends the ids of a text to dst. It is safe for concurrent use.
	AppendIDs(dst []int32, text string) ([]int32, error)
	// VocabSize is one more than the largest id.
	VocabSize() int
}

var (
	_ Tokenizer = (*Framed)(nil)
	_ Engine    = (*SentencePiece)(nil)
)

// Engine returns the tokenizer as an engine. Where plain is set, special tokens that are
// written in a text are text.
func (p *Pipeline) Engine(plain bool) Engine { return pipelineEngine{p, plain} }

type pipelineEngine struct {
	*Pipeline
	plain bool
}

func (e pipelineEngine) AppendIDs(dst []int32, text string) ([]int32, error) {
	return e.ids(dst, text, false, e.plain)
}

// NewFramed returns the tokenizer of an engine in a frame.
func NewFramed(engine Engine, frame Frame) (*Framed, error) {
	if err := enum.Valid(frame.Clean, cleanNames()); err != nil {
		return nil, fmt.Errorf("tokenizer: Clean %w", err)
	}
	f := &Framed{engine: engine, frame: frame.clone(), vocab: engine.VocabSize()}
	for _, id := range slices.Concat([]int32{frame.Pad}, frame.Before, frame.After) {
		if id < 0 {
			return nil, fmt.Errorf("tokenizer: id %d around captions, want none below 0", id)
		}
		f.vocab = max(f.vocab, int(id)+1)
	}
	return f, nil
}

func (f Frame) clone() Frame {
	f.Before, f.After, f.Blank = slices.Clone(f.Before), slices.Clone(f.After), slices.Clone(f.Blank)
	return f
}

// Frame returns the frame, which is a copy.
func (f *Framed) Frame() Frame { return f.frame.clone() }

// Engine returns the engine.
func (f *Framed) Engine() Engine { return f.engine }

// VocabSize implements [Tokenizer].
func (f *Framed) VocabSize() int { return f.vocab }

// Encode implements [Tokenizer]. A caption that the engine refuses has no ids: n is 0, and
// dst all padding. [Framed.TryEncode] says why.
func (f *Framed) Encode(dst []int32, s string) (n int, truncated bool) {
	n, truncated, err := f.TryEncode(dst, s)
	if err != nil {
		f.pad(dst)
		return 0, true
	}
	return n, truncated
}

// TryEncode is [Framed.Encode] with the engine's error. Where not even the frame fits into
// dst, its end is kept.
func (f *Framed) TryEncode(dst []int32, s string) (n int, truncated bool, err error) {
	w, _ := f.scratch.Get().(*[]int32)
	if w == nil {
		w = new([]int32)
	}
	defer f.scratch.Put(w)
	*w, err = f.engine.AppendIDs((*w)[:0], f.frame.Clean.Text(s))
	if err != nil {
		return 0, false, err
	}
	ids, before, after := *w, f.frame.Before, f.frame.After
	before = before[:min(len(before), max(len(dst)-len(after), 0))]
	after = after[max(len(after)-len(dst), 0):]
	if room := len(dst) - len(before) - len(after); len(ids) > room {
		ids, truncated = ids[:room], true
	}
	if f.frame.OneEnd && len(ids) >= len(after) && slices.Equal(ids[len(ids)-len(after):], after) {
		after = nil
	}
	n = copy(dst, before)
	n += copy(dst[n:], ids)
	n += copy(dst[n:], after)
	for i, id := range dst[:n] {
		if slices.Contains(f.frame.Blank, id) {
			dst[i] = f.frame.Pad
		}
	}
	f.pad(dst[n:])
	return n, truncated, nil
}

func (f *Framed) pad(dst []int32) {
	for i := range dst {
		dst[i] = f.frame.Pad
	}
}
