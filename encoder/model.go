// Package encoder is CLIP: an image tower and a text tower whose embeddings a
// contrastive loss has aligned. It encodes images and captions, classifies
// zero-shot and ranks.
//
// An embedding is the same to the last bit whether its image or caption was
// encoded alone or in any batch, on any number of cores, as long as the
// instruction set is the same.
package encoder

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Config says what a model computes.
type Config struct {
	// Vision and Text are the configurations of its towers. One of them may be nil:
	// a model of one tower encodes only images or only captions.
	Vision vision.Config
	Text   text.Config

	Preprocess *vision.Preprocess // of the images; required where Vision is set

	// LogitScale is the initial value of logit_scale, the logarithm of the
	// inverse temperature: logits are exp(LogitScale) times cosines. Zero means
	// CLIP's ln(1/0.07).
	LogitScale float64
	// LogitBias, where not nil, gives the model SigLIP's logit_bias with this
	// initial value.
	LogitBias *float64

	// Captioner, where it is not zero, is the half of CoCa that writes captions: its
	// weights are kept and saved with the model, and nothing computes them.
	Captioner text.Captioner
}

// Validate reports the first field that is missing or does not fit.
func (c Config) Validate() error {
	if c.Vision == nil && c.Text == nil {
		return errors.New("encoder: Vision and Text are both nil, want at least one")
	}
	return guarded("encoder: configuration", func() error {
		if err := c.validateVision(); err != nil {
			return err
		}
		if err := c.Captioner.Validate(); err != nil || c.Text == nil {
			return err
		}
		if err := c.Text.Validate(); err != nil {
			return err
		}
		if d := c.Text.Dims(); d.ContextLength < 1 || d.VocabSize < 1 || d.EmbedDim < 1 {
			return fmt.Errorf("encoder: Text.Dims() is %+v, want positive numbers", d)
		}
		if d := c.Text.Dims().EmbedDim; c.Vision != nil && c.Vision.Dims().EmbedDim != d {
			return fmt.Errorf("encoder: Vision.EmbedDim is %d, but Text.EmbedDim is %d", c.Vision.Dims().EmbedDim, d)
		}
		return nil
	})
}

func (c Config) validateVision() error {
	if c.Vision == nil {
		return nil
	}
	if err := c.Vision.Validate(); err != nil {
		return err
	}
	d := c.Vision.Dims()
	if d.ImageSize[0] < 1 || d.ImageSize[1] < 1 || d.EmbedDim < 1 || d.Tokens < 1 {
		return fmt.Errorf("encoder: Vision.Dims() is %+v, want positive numbers", d)
	}
	if c.Preprocess == nil {
		return errors.New("encoder: Preprocess is missing")
	}
	if err := c.Preprocess.Validate(); err != nil {
		return err
	}
	if n := c.Preprocess.PatchSize; n > 0 {
		if p, ok := c.Vision.(vision.PatchReader); !ok || p.Patch() != n {
			return fmt.Errorf("encoder: images become patches of %d × %d pixels, which the image tower of family %s does not take", n, n, c.Vision.Family())
		}
		return nil
	}
	if c.Preprocess.Size != d.ImageSize {
		return fmt.Errorf("encoder: Preprocess.Size is %v, but Vision.ImageSize is %v", c.Preprocess.Size, d.ImageSize)
	}
	return nil
}

// EmbedDim is the size of the model's embeddings, 0 without towers.
func (c Config) EmbedDim() int {
	if c.Vision != nil {
		return c.Vision.Dims().EmbedDim
	}
	if c.Text == nil {
		return 0
	}
	return c.Text.Dims().EmbedDim
}

// guarded runs a caller's code, whose panic becomes an error that says what ran.
func guarded(what string, f func() error) error {
	err := guard.Call(f)
	var p *guard.Panic
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return err
}

// Model is a CLIP model. All methods may be called from several goroutines at
// once, except while its parameters are written to, for example by a training
// step.
type Model struct {
	cfg        Config
	image      vision.Tower // nil without
	text       text.Tower   // nil without
	logitScale *nn.Param
	logitBias  *nn.Param // nil without
	captioner  []*nn.Param
	params     params
	tok        tokenizer.Tokenizer
	options    Options
	images     pool[imageShape]
	texts      pool[textShape]
	lora       *LoRA           // nil without adapters
	spec       checkpoint.Spec // what a layout knows beyond cfg
	own        own             // what it was loaded from and saved as
	mapped     bool            // weights may be views of a read-only file

	use    sync.RWMutex // held for reading while weights are read, for writing by Close
	closed bool
	parts  []*Model // joined in this one, whose weights it shares; none of several parts itself
	close  func() error
}

// Options say how a model is run, not what it computes. A nil *Options means the
// zero value.
type Options struct {
	// BatchSize is the largest number of images or captions in one pass; zero
	// means as many as have about 640 tokens together: larger batches are
	// hardly faster and take more memory. It never changes a result.
	BatchSize int

	// The rest is read by [Load] only.

	// Trainable gives every parameter memory of its own to write to; it is needed
	// for training.
	Trainable bool
	// Copy reads the weights into memory; otherwise their file may be memory-mapped.
	// Writing to a mapped file while the model is open changes the weights, and
	// truncating it ends the process. Trainable implies Copy.
	Copy bool
	// Edited accepts configuration and tokenizer files that are not those the weights
	// were saved with, because someone has changed them on purpose. Otherwise they are
	// an error, since a folder copied in part looks the same.
	Edited bool
	// Tokenizer and Preprocess, where set, are used instead of the checkpoint's.
	Tokenizer  tokenizer.Tokenizer
	Preprocess *vision.Preprocess
	// Upright, where not nil, takes the place of Preprocess.Upright: whether photographs are
	// turned as their files say that they should be seen. Published models say nothing of it
	// and were evaluated without.
	Upright *bool
	// Precision Int8 computes the towers' linear layers and patch embeddings with integers: weights in 127 steps of
	// their output's scale and each token's activations in 255 steps of its own, summed exactly,
	// so that an embedding is still the same bits alone, in any batch and on any machine's
	// number of cores. Weights take a quarter of the memory and products half of the time or less, and
	// embeddings are other ones, with a [Model.Fingerprint] of their own: see docs/int8.md for how near. Attention,
	// norms, and layers whose weights do not bear it stay float32; so do all of Float32, the default.
	//
	// Float16 and BFloat16 keep the weights of linear layers as halves, rounded to nearest: half
	// the memory. What is computed is float32, with the bits that a checkpoint of such weights
	// gives. A model without float32 weights cannot be saved. What cannot be rounded is an error.
	Precision Precision
	// Draft sets Preprocess.Draft: JPEG files are decoded at a part of their size, which makes
	// another index of them. Whoever decodes passes vision.Preprocess.DraftSide on.
	Draft bool
	// Vocabulary, where set, is the folder of the tokenizer's files instead of the
	// checkpoint's own; how captions are cleaned and padded is as the checkpoint says.
	Vocabulary fs.FS
	// Architecture is a name of [ConfigByName], for weights in open_clip's layout that
	// have no configuration beside them. Otherwise the checkpoint's own counts.
	Architecture string
	// ImageSize (height, width) and ContextLength, where not zero, replace the
	// checkpoint's; position embeddings are resized as the layout's reference does.
	ImageSize     [2]int
	ContextLength int
	// KeptPositions is how many of the first position embeddings stay as they are where
	// ContextLength is above the checkpoint's; those behind are spread over the rest (Zhang et
	// al., 2024, Long-CLIP, keeps 20 of 77). Zero resizes all. Such a model has to be fine-tuned
	// on long captions to make use of them.
	KeptPositions int
	// Families are the configurations of custom towers that a saved model may have.
	Families Families
}

// Families lists the configurations of custom towers, one zero value per type. A
// saved configuration of the same Family is decoded into that type.
type Families = checkpoint.Families

// perPass is how many sequences of so many tokens share a pass.
func (o Options) perPass(tokens int) int {
	if o.BatchSize > 0 {
		return o.BatchSize
	}
	return max(1, 640/tokens)
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
	if err := cfg.fits(tok); err != nil {
		return nil, err
	}
	if cfg.LogitScale == 0 {
		cfg.LogitScale = math.Log(1 / 0.07)
	}
	m := &Model{cfg: cfg, tok: tok}
	if opts != nil {
		m.options = *opts
	}
	err := guarded("encoder: towers", func() (err error) {
		if cfg.Vision != nil {
			if m.image, err = cfg.Vision.New(); err == nil && m.image == nil {
				err = errors.New("encoder: Vision.New returned no tower")
			}
		}
		if cfg.Text != nil && err == nil {
			if m.text, err = cfg.Text.New(); err == nil && m.text == nil {
				err = errors.New("encoder: Text.New returned no tower")
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	m.logitScale = nn.NewParam("logit_scale").Fill(float32(m.cfg.LogitScale))
	if cfg.LogitBias != nil {
		m.logitBias = nn.NewParam("logit_bias").Fill(float32(*cfg.LogitBias))
	}
	m.captioner = cfg.Captioner.Params()
	return m, guarded("encoder: parameters", func() error {
		if m.image != nil {
			m.params.image = m.image.Params()
		}
		if m.text != nil {
			m.params.text = m.text.Params()
		}
		return m.checkParams()
	})
}

// fits reports a tokenizer whose ids the text tower does not have.
func (c Config) fits(tok tokenizer.Tokenizer) error {
	if tok == nil || c.Text == nil {
		return nil
	}
	return guarded("encoder: tokenizer", func() error {
		if n, most := tok.VocabSize(), c.Text.Dims().VocabSize; n < 1 || n > most {
			return fmt.Errorf("encoder: the tokenizer has %d tokens, but Text.VocabSize is %d", n, most)
		}
		return nil
	})
}

// checkParams refuses parameters whose names would be taken for others, and those
// that a tower left out.
func (m *Model) checkParams() error {
	seen := map[string]bool{}
	for _, p := range m.Params() {
		if p == nil {
			return errors.New("encoder: a tower's parameter is nil")
		}
		for _, d := range p.Shape {
			if d < 1 {
				return fmt.Errorf("encoder: parameter %s has shape %v, want positive numbers", p.Name, p.Shape)
			}
		}
		if seen[p.Name] {
			return fmt.Errorf("encoder: two parameters are named %s", p.Name)
		}
		seen[p.Name] = true
	}
	for _, p := range m.imageParams() {
		if !isImage(p.Name) {
			return fmt.Errorf("encoder: the image tower's parameter %s, want visual. at the beginning of its name", p.Name)
		}
	}
	for _, p := range m.textParams() {
		if isImage(p.Name) || isHead(p.Name) {
			return fmt.Errorf("encoder: the text tower's parameter %s, want a name that does not begin with visual. or logit_", p.Name)
		}
	}
	return nil
}

// ErrClosed is what the methods of a closed model return.
var ErrClosed = errors.New("encoder: the model is closed")

// begin claims the weights for reading until the function it returns is called.
func (m *Model) begin() (end func(), err error) {
	if m == nil {
		return nil, errors.New("encoder: the model is nil")
	}
	m.use.RLock()
	if m.closed {
		m.use.RUnlock()
		return nil, ErrClosed
	}
	ends := []func(){m.use.RUnlock}
	end = func() {
		for _, end := range ends {
			end()
		}
	}
	for _, part := range m.parts {
		endPart, err := part.begin()
		if err != nil {
			end()
			return nil, err
		}
		ends = append(ends, endPart)
	}
	return end, nil
}

// Hold keeps the model open until release is called: Close waits. Code that reads or
// writes the parameters' memory itself, such as a training step, holds the model; the
// methods that need the weights do so on their own, and must not be called within. The
// error is [ErrClosed] or that the model is nil.
func (m *Model) Hold() (release func(), err error) { return m.begin() }

// Close waits for what is being computed and releases the files that a loaded model's
// weights are mapped from. Methods that need the weights return [ErrClosed]
// afterwards; the parameters themselves must not be read any more. Closing again does
// nothing.
func (m *Model) Close() error {
	if m == nil {
		return nil
	}
	m.use.Lock()
	defer m.use.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	m.changed()
	if m.mapped {
		// Whoever reads them all the same meets a nil slice, not memory that is gone.
		for _, p := range slices.Concat(m.textParams(), m.imageParams(), m.captioner) {
			p.Data = nil
		}
	}
	if m.close == nil {
		return nil
	}
	return m.close()
}

func isImage(name string) bool { return strings.HasPrefix(name, "visual.") }
func isHead(name string) bool  { return strings.HasPrefix(name, "logit_") }
