// Package encoder is CLIP: an image tower and a text tower whose embeddings a
// contrastive loss has aligned, with what one does with them: encoding pictures
// and captions, zero-shot classification and search.
//
// An embedding is the same to the last bit whether its picture or caption was
// encoded alone or in any batch, on any number of cores, as long as the
// instruction set is the same.
package encoder

import (
	"errors"
	"fmt"
	"math"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Param is a named tensor of weights.
type Param = nn.Param

// Config says what a model computes.
type Config struct {
	Vision     vision.Config
	Text       text.Config
	Preprocess *vision.Preprocess // of the pictures; required

	// LogitScale is the initial temperature as a logarithm, exp(LogitScale) being
	// the factor of the cosines. Zero means CLIP's ln(1/0.07).
	LogitScale float64
	// LogitBias, where not nil, gives the model SigLIP's bias with that start.
	LogitBias *float64
}

// Validate reports the first field that is missing or does not fit.
func (c *Config) Validate() error {
	if err := c.Vision.Validate(); err != nil {
		return err
	}
	if err := c.Text.Validate(); err != nil {
		return err
	}
	if c.Vision.EmbedDim != c.Text.EmbedDim {
		return fmt.Errorf("encoder: Vision.EmbedDim is %d, but Text.EmbedDim is %d", c.Vision.EmbedDim, c.Text.EmbedDim)
	}
	if c.Preprocess == nil {
		return errors.New("encoder: Preprocess is missing")
	}
	if err := c.Preprocess.Validate(); err != nil {
		return err
	}
	if c.Preprocess.Size != c.Vision.ImageSize {
		return fmt.Errorf("encoder: Preprocess.Size is %v, but Vision.ImageSize is %v", c.Preprocess.Size, c.Vision.ImageSize)
	}
	return nil
}

// Model is a CLIP model. All methods may be called from several goroutines at
// once, except while its parameters are written to, by a training step say.
type Model struct {
	cfg        Config
	image      *vision.Tower
	text       *text.Tower
	logitScale *Param
	logitBias  *Param // nil without
	tok        tokenizer.Tokenizer
	options    Options
	images     pool[imageShape]
	texts      pool[textShape]
	lora       *LoRA           // nil without adapters
	spec       checkpoint.Spec // what a layout knows beyond cfg
	mapped     bool            // weights may be views of a read-only file
	close      func() error
}

// Options say how a model is run, not what it computes. A nil *Options means the
// zero value.
type Options struct {
	// BatchSize is the largest number of pictures or captions in one pass; zero
	// means as many as have some 600 tokens together: products of more rows are
	// hardly faster, and take more memory. It never changes a result.
	BatchSize int

	// The rest is read by [Load] only.

	// Trainable gives every parameter memory of its own to write to; it is needed
	// for training.
	Trainable bool
	// Tokenizer and Preprocess, where set, are used instead of the checkpoint's.
	Tokenizer  tokenizer.Tokenizer
	Preprocess *vision.Preprocess
	// ImageSize (height, width) and ContextLength, where not zero, replace the
	// checkpoint's; position embeddings are resized as open_clip does.
	ImageSize     [2]int
	ContextLength int
}

// perPass is how many sequences of so many tokens share a pass.
func (o Options) perPass(tokens int) int {
	if o.BatchSize > 0 {
		return o.BatchSize
	}
	return max(1, 600/tokens)
}

// New returns a model with random weights drawn from seed. The tokenizer may be
// nil in a model that never sees text as strings.
func New(cfg Config, tok tokenizer.Tokenizer, seed uint64) (*Model, error) {
	m, err := blank(cfg, tok, nil)
	if err != nil {
		return nil, err
	}
	for _, p := range m.Params() {
		p.Init(seed)
	}
	return m, nil
}

// blank returns a model whose parameters have no memory yet.
func blank(cfg Config, tok tokenizer.Tokenizer, opts *Options) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if tok != nil && tok.VocabSize() > cfg.Text.VocabSize {
		return nil, fmt.Errorf("encoder: the tokenizer has %d tokens, but Text.VocabSize is %d", tok.VocabSize(), cfg.Text.VocabSize)
	}
	if cfg.LogitScale == 0 {
		cfg.LogitScale = math.Log(1 / 0.07)
	}
	m := &Model{cfg: cfg, tok: tok}
	if opts != nil {
		m.options = *opts
	}
	var err error
	if m.image, err = vision.Blank(cfg.Vision); err != nil {
		return nil, err
	}
	if m.text, err = text.Blank(cfg.Text); err != nil {
		return nil, err
	}
	m.logitScale = nn.NewParam("logit_scale").Fill(float32(m.cfg.LogitScale))
	if cfg.LogitBias != nil {
		m.logitBias = nn.NewParam("logit_bias").Fill(float32(*cfg.LogitBias))
	}
	return m, nil
}

// Config returns the model's configuration.
func (m *Model) Config() Config { return m.cfg }

// Vision returns the image tower.
func (m *Model) Vision() *vision.Tower { return m.image }

// Text returns the text tower.
func (m *Model) Text() *text.Tower { return m.text }

// Tokenizer returns the model's tokenizer, or nil.
func (m *Model) Tokenizer() tokenizer.Tokenizer { return m.tok }

// LogitScale returns the learnable temperature, a logarithm: logits are
// exp(logit_scale) times cosines.
func (m *Model) LogitScale() *Param { return m.logitScale }

// LogitBias returns SigLIP's learnable bias, or nil.
func (m *Model) LogitBias() *Param { return m.logitBias }

// Params lists all parameters under open_clip's names, in a fixed order.
func (m *Model) Params() []*Param {
	ps := []*Param{m.logitScale}
	if m.logitBias != nil {
		ps = append(ps, m.logitBias)
	}
	return append(append(ps, m.text.Params()...), m.image.Params()...)
}

// Trainable reports whether the parameters may be written to: not those of a
// model loaded without Options.Trainable.
func (m *Model) Trainable() bool { return !m.mapped }

// Close releases the files that a loaded model's weights are mapped from. The
// model must not be used afterwards.
func (m *Model) Close() error {
	if m.close == nil {
		return nil
	}
	return m.close()
}
