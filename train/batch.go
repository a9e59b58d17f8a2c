package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/parallel"
)

// Batch is a batch of pairs, preprocessed and tokenized.
type Batch struct {
	N      int
	Pixels []float32 // N × (3, H, W), preprocessed
	// Grids, (N, 2), where the model's preprocessing makes patches, holds the rows and
	// columns of each image's; Pixels is then N × (MaxPatches, P·P·3).
	Grids  []int32
	Tokens []int32 // N × Texts × ContextLength, padded
	// Texts, where above 1, is the number of texts of each pair. Shares, (N × Texts), holds
	// how likely each is to be right for the pair's image, 0 for one that is wrong for all of
	// the batch; nil means 1. See [Config].Texts.
	Texts  int
	Shares []float32
	// Groups, (N), where not nil, holds the group number of each pair: pairs of
	// one group are right answers for each other. See [Config].Groups.
	Groups []int32
	// Teacher, where not nil, holds a teacher model's embeddings of the pairs.
	// See [Config].Teacher.
	Teacher   *Teacher
	Truncated int // captions cut to the context length
	Repeated  int // pairs whose image or caption an earlier pair of another group has

	part bool // only the pixels of some pairs are here, those of a rank
	held span // these pairs
	seen seen
}

// Prepare preprocesses images and tokenizes captions on several goroutines. It
// may run at the same time as a step.
func (t *Trainer) Prepare(pairs []dataset.Pair) (*Batch, error) {
	if err := t.open(); err != nil {
		return nil, err
	}
	if t.model.Tokenizer() == nil {
		return nil, errors.New("train: the model has no tokenizer")
	}
	size, length := sizes(t.model)
	b := &Batch{N: len(pairs), Groups: t.cfg.Groups.number(pairs)}
	held := span{0, b.N}
	if t.world.size() > 1 {
		held = t.world.pairs(b.N, t.cfg.MicroBatch, t.world.rank())
		b.part, b.held = true, held
	}
	b.Pixels = make([]float32, (held.to-held.from)*size)
	texts, err := b.say(pairs, t.cfg.Texts)
	if err != nil {
		return nil, err
	}
	b.Tokens = make([]int32, len(texts)*length)
	prepare := t.model.Config().Preprocess
	if prepare.MaxPatches > 0 {
		b.Grids = make([]int32, 2*len(pairs))
	}
	errs, cut, prints := make([]error, b.N), make([]bool, len(texts)), make([]uint64, b.N)
	parallel.For(b.N, func(i int) {
		var pixels []float32
		pair, here := pairs[i], i >= held.from && i < held.to
		if here {
			pixels = b.Pixels[(i-held.from)*size:][:size]
		}
		err := guard.Call(func() error {
			switch {
			case !here:
				return nil
			case b.Grids == nil:
				return prepare.Image(pixels, pair.Image)
			}
			grid, err := prepare.Patches(pixels, pair.Image)
			b.Grids[2*i], b.Grids[2*i+1] = int32(grid[0]), int32(grid[1])
			return err
		})
		if err == nil && here {
			prints[i] = fingerprint(pixels)
		}
		for k := i * b.texts(); k < (i+1)*b.texts() && err == nil; k++ {
			cut[k], err = t.model.Tokenize(b.Tokens[k*length:(k+1)*length], texts[k])
		}
		if err != nil {
			errs[i] = fmt.Errorf("train: %s: %w", pair.Key, err)
		}
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, c := range cut {
		if c {
			b.Truncated++
		}
	}
	b.seen = seen{prints, make([]string, b.N)}
	for i, pair := range pairs {
		b.seen.captions[i] = pair.Caption
	}
	b.Repeated = b.seen.repeated(b.Groups)
	switch {
	case t.cfg.Teacher != nil:
		b.Teacher, err = teach(t.cfg.Teacher, pairs, texts, held)
	case t.cfg.Stored != nil:
		b.Teacher, err = t.cfg.Stored.of(pairs, texts)
	}
	return b, err
}

// answers counts the groups of the pairs; a pair without one is its own.
func (b *Batch) answers() int {
	if b.Groups == nil {
		return b.N
	}
	return len(slices.Compact(slices.Sorted(slices.Values(b.Groups))))
}

// images is the number of those whose pixels are here.
func (b *Batch) images() int {
	if b.part {
		return b.held.to - b.held.from
	}
	return b.N
}

// check reports what of a prepared batch does not fit the model.
func (b *Batch) check(m *encoder.Model, cfg Config) error {
	size, length := sizes(m)
	switch {
	case b == nil:
		return errors.New("train: the batch is nil")
	case b.N < 2:
		return fmt.Errorf("train: a batch of %d pairs, want 2 or more: a contrastive loss needs negatives", b.N)
	case len(b.Pixels) != b.images()*size:
		return fmt.Errorf("train: %d pixel values for %d images of %d values each", len(b.Pixels), b.images(), size)
	case m.Config().Preprocess.MaxPatches > 0 != (b.Grids != nil) || b.Grids != nil && len(b.Grids) != 2*b.N:
		return fmt.Errorf("train: %d numbers of grids for %d images, of preprocessing with MaxPatches %d", len(b.Grids), b.N, m.Config().Preprocess.MaxPatches)
	case b.Texts < 0:
		return fmt.Errorf("train: the batch has %d texts of each pair, want 0 or more", b.Texts)
	case len(b.Tokens) != b.N*b.texts()*length:
		return fmt.Errorf("train: %d token ids for %d captions of context length %d", len(b.Tokens), b.N*b.texts(), length)
	case b.Shares != nil && len(b.Shares) != b.N*b.texts():
		return fmt.Errorf("train: %d shares of %d texts", len(b.Shares), b.N*b.texts())
	case b.Groups != nil && len(b.Groups) != b.N:
		return fmt.Errorf("train: %d groups for %d pairs", len(b.Groups), b.N)
	}
	return b.checkTeacher(cfg.Distill)
}
