// Package text is the language side of CLIP: the towers that turn token ids into
// features, one family a file.
//
// A tower of one's own is a type with the methods of [Tower], made of layers of
// package nn, and a [Config] that makes it.
package text

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Config says what a text tower computes. Its type is the family of the tower: a
// struct whose exported fields are the settings that the family has, so that it
// can be compared, printed, and written as JSON.
type Config interface {
	// Family is the name of the family in files, such as "transformer".
	Family() string
	// Validate reports the first field that is missing or does not fit.
	Validate() error
	// Dims are what everything around a tower needs to know of it.
	Dims() Dims
	// Row says what the tower reads of a caption, whose ids are padded to the context
	// length.
	Row(ids []int32) Row
	// New returns a tower whose parameters have no memory yet: [nn.Param.Init] or a
	// checkpoint gives it to them.
	New() (Tower, error)
}

// Dims are the sizes of what goes into a text tower and comes out.
type Dims struct {
	ContextLength int // tokens at most, L
	VocabSize     int // one more than the largest id
	EmbedDim      int // size of the features, D
}

// Row is what a tower reads of one caption.
type Row struct {
	// Length is how many of the tokens it reads. Those behind change nothing, to the
	// last bit; where that cannot be promised, Length is the context length.
	Length int
	// Pooled is the position that becomes the feature, or for a mean the last of those
	// that do.
	Pooled int
}

// Tower is a text encoder. Building graphs from several goroutines is safe;
// running a graph while its parameters are written to is not. It may have the
// methods of [nn.Layered] too, and its configuration those of [nn.Coster].
type Tower interface {
	Config() Config
	// Params lists the parameters in a fixed order. None of their names begins with
	// "visual." or "logit_"; of families that open_clip has, they are open_clip's.
	Params() []*nn.Param
	// Forward adds the tower to the graph of its input and returns its unnormalised
	// features, (B, D). An id outside the vocabulary is an error when the graph runs.
	Forward(Input) (*G.Node, error)
}

// Input are the leaves that a tower reads.
type Input struct {
	Tokens *G.Node // (B, L) int32, with L at most the context length and no less than any [Row.Length]
	Pooled *G.Node // (B) int32, [Row.Pooled] of each
}

// Resizer is a configuration whose tower can have another context length, to which
// a table of positions is resized.
type Resizer interface {
	// Resized returns the configuration for contexts of the given length.
	Resized(contextLength int) Config
	// Positions names the table.
	Positions() (param string)
}

// New returns a tower with random weights drawn from seed.
func New(cfg Config, seed uint64) (Tower, error) {
	t, err := cfg.New()
	if err != nil {
		return nil, err
	}
	for _, p := range t.Params() {
		p.Init(seed)
	}
	return t, nil
}

// invalid is an error about a field of a configuration.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("text: %s %w", field, fmt.Errorf(format, args...))
}
