package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/vision"
)

// Batch is pairs as the towers take them.
type Batch struct {
	N      int
	Pixels []float32 // N × (3, H, W), preprocessed
	Tokens []int32   // N × ContextLength, padded
	// Groups, where not nil, numbers the pairs: those of one number are right
	// answers for each other. See [Config].Groups.
	Groups []int32
	// Teacher, where not nil, is what another model makes of the pairs. See
	// [Config].Teacher.
	Teacher   *Teacher
	Truncated int // captions that did not fit
	Repeated  int // pairs whose picture or caption an earlier pair of another group has
}

// Prepare preprocesses pictures and tokenizes captions, several at once. It may
// run beside a step, in another goroutine.
func (t *Trainer) Prepare(pairs []dataset.Pair) (*Batch, error) {
	if t.model.Tokenizer() == nil {
		return nil, errors.New("train: the model has no tokenizer")
	}
	cfg := t.model.Config()
	length, size := cfg.Text.Dims().ContextLength, pixelsOf(cfg.Vision)
	b := &Batch{
		N:      len(pairs),
		Pixels: make([]float32, len(pairs)*size),
		Tokens: make([]int32, len(pairs)*length),
		Groups: group(pairs, t.cfg.Groups),
	}
	errs, cut, prints := make([]error, b.N), make([]bool, b.N), make([]uint64, b.N)
	parallel.For(b.N, func(i int) {
		if err := cfg.Preprocess.Image(b.Pixels[i*size:(i+1)*size], pairs[i].Image); err != nil {
			errs[i] = fmt.Errorf("train: %s: %w", pairs[i].Key, err)
		}
		prints[i] = fingerprint(b.Pixels[i*size : (i+1)*size])
		_, cut[i] = t.model.Tokenizer().Encode(b.Tokens[i*length:(i+1)*length], pairs[i].Caption)
	})
	for _, c := range cut {
		if c {
			b.Truncated++
		}
	}
	b.Repeated = repeated(pairs, prints, b.Groups)
	if err := errors.Join(errs...); err != nil || t.cfg.Teacher == nil {
		return b, err
	}
	var err error
	b.Teacher, err = teach(t.cfg.Teacher, pairs)
	return b, err
}

// group gives pairs that are right answers for each other one number.
func group(pairs []dataset.Pair, by string) []int32 {
	groups, seen := make([]int32, len(pairs)), make(map[string]int32)
	for i, pair := range pairs {
		groups[i] = int32(i)
		key := pair.Caption
		if by == "label" && pair.Label != "" {
			key = pair.Label
		}
		if g, ok := seen[key]; ok && by != "none" {
			groups[i] = g
		}
		seen[key] = groups[i]
	}
	return groups
}

// check reports what of a prepared batch does not fit the model.
func (t *Trainer) check(b *Batch) error {
	cfg := t.model.Config()
	length, size := cfg.Text.Dims().ContextLength, pixelsOf(cfg.Vision)
	switch {
	case b.N < 2:
		return fmt.Errorf("train: a batch of %d: contrast needs 2 pairs or more", b.N)
	case len(b.Pixels) != b.N*size:
		return fmt.Errorf("train: %d pixel values for %d pictures of %d", len(b.Pixels), b.N, size)
	case len(b.Tokens) != b.N*length:
		return fmt.Errorf("train: %d token ids for %d captions of %d", len(b.Tokens), b.N, length)
	case b.Groups != nil && len(b.Groups) != b.N:
		return fmt.Errorf("train: %d groups for %d pairs", len(b.Groups), b.N)
	}
	return t.checkTeacher(b)
}

// length is how many tokens of the captions are computed, enough for the longest.
func (t *Trainer) length(b *Batch) int {
	cfg := t.model.Config().Text
	context, longest := cfg.Dims().ContextLength, 0
	for ids := range slices.Chunk(b.Tokens, context) {
		longest = max(longest, cfg.Row(ids).Length)
	}
	// Only a few lengths, so that only a few passes are compiled.
	return min(context, (longest+7)/8*8)
}

// pixelsOf is how many numbers a picture has.
func pixelsOf(cfg vision.Config) int {
	size := cfg.Dims().ImageSize
	return 3 * size[0] * size[1]
}
