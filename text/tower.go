// Package text is the language side of CLIP: the towers that turn token ids into
// features, one family a file.
//
// A custom tower is a type that implements [Tower], built from the layers of
// package nn, with a [Config] that makes it.
package text

import (
	"errors"
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
	// Dims returns the sizes of the tower's input and output.
	Dims() Dims
	// Row says how many tokens of a caption the tower reads, and which one is pooled.
	// The ids are padded to the context length.
	Row(ids []int32) Row
	// New returns a tower whose parameters have no memory yet: [nn.Param.Init] or a
	// checkpoint gives it to them.
	New() (Tower, error)
}

// Dims are the sizes of what goes into a text tower and comes out.
type Dims struct {
	ContextLength int // maximum number of tokens, L
	VocabSize     int // one more than the largest id
	EmbedDim      int // size of the features, D
}

// Row is the part of one caption that a tower reads.
type Row struct {
	// Length is how many tokens the tower reads. Tokens after them must not change
	// the feature, to the last bit; where they do, Length is the context length.
	Length int
	// Pooled is the position that is pooled, or for mean pooling the last one.
	Pooled int
}

// Tower is a text encoder. Building graphs from several goroutines is safe;
// running a graph while its parameters are written to is not. A tower may also
// implement [nn.Layered], and its configuration [nn.Coster].
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

	// Mask, (B, L) int32, has 0 for tokens that no other attends to and no mean counts.
	// Where it is nil a tower finds its padding by itself, if its reference hides any.
	Mask *G.Node
	// Types, (B, L) int32, are BERT's token types, which tell two sentences apart; nil
	// means 0 for every token. Towers that have none do not read it.
	Types *G.Node
}

// Resizer is a configuration whose tower can take another context length, with its
// position embedding resized.
type Resizer interface {
	// Resized returns the configuration for the given context length.
	Resized(contextLength int) Config
	// Positions names the position embedding.
	Positions() (param string)
}

// New returns a tower with random weights drawn from seed.
func New(cfg Config, seed uint64) (Tower, error) {
	if cfg == nil {
		return nil, errors.New("text: the Config is nil")
	}
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

// size is a field that must be from 1 to a limit.
type size struct {
	name     string
	v, limit int
}

func checkSizes(sizes ...size) error {
	for _, f := range sizes {
		if f.v < 1 || f.v > f.limit {
			return invalid(f.name, "is %d, want 1 to %d", f.v, f.limit)
		}
	}
	return nil
}

// paramsOf lists the parameters of layers in order.
func paramsOf(layers ...interface{ Params() []*nn.Param }) []*nn.Param {
	var ps []*nn.Param
	for _, l := range layers {
		ps = append(ps, l.Params()...)
	}
	return ps
}
