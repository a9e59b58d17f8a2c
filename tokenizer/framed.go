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
	scratch sync.Pool // of *[]int32
}

// An Engine turns texts into ids, all of them and nothing around them: a [Pipeline], a
// [SentencePiece]. It is safe for concurrent use.
type Engine interface {
	// AppendIDs appends the ids of a text to dst. An engine of a Framed never fails,
	// whatever the text.
	AppendIDs(dst []int32, text string) []int32
	// VocabSize is one more than the largest id.
	VocabSize() int
}

var _ Tokenizer = (*Framed)(nil)

// NewFramed returns the tokenizer of an engine in a frame.
func NewFramed(engine Engine, frame Frame) (*Framed, error) {
	if err := enum.Valid(frame.Clean, cleanNames()); err != nil {
		return nil, fmt.Errorf("tokenizer: Clean %w", err)
	}
	f := &Framed{engine: engine, frame: frame, vocab: engine.VocabSize()}
	f.frame.Before, f.frame.After, f.frame.Blank = slices.Clone(frame.Before), slices.Clone(frame.After), slices.Clone(frame.Blank)
	for _, id := range append(append([]int32{frame.Pad}, frame.Before...), frame.After...) {
		if id < 0 {
			return nil, fmt.Errorf("tokenizer: id %d around captions, want none below 0", id)
		}
		f.vocab = max(f.vocab, int(id)+1)
	}
	return f, nil
}

// Frame returns the frame, which is a copy.
func (f *Framed) Frame() Frame {
	frame := f.frame
	frame.Before, frame.After, frame.Blank = slices.Clone(frame.Before), slices.Clone(frame.After), slices.Clone(frame.Blank)
	return frame
}

// Engine returns the engine.
func (f *Framed) Engine() Engine { return f.engine }

// VocabSize implements [Tokenizer].
func (f *Framed) VocabSize() int { return f.vocab }

// Encode implements [Tokenizer], with the frame's padding for zeros. A context that the
// frame alone does not fit into holds its end.
func (f *Framed) Encode(dst []int32, s string) (n int, truncated bool) {
	w, _ := f.scratch.Get().(*[]int32)
	if w == nil {
		w = new([]int32)
	}
	defer f.scratch.Put(w)
	ids := f.engine.AppendIDs((*w)[:0], f.frame.Clean.Text(s))
	*w = ids
	before, after := f.frame.Before, f.frame.After
	if over := len(before) + len(after) - len(dst); over > 0 {
		before = before[min(over, len(before)):]
		after = after[max(len(after)-len(dst), 0):]
	}
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
	for i := range dst[n:] {
		dst[n+i] = f.frame.Pad
	}
	return n, truncated
}
