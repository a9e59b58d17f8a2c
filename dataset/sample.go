package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/dice"
	"github.com/goclip/goclip/internal/guard"
)

// Pair is one decoded image with one caption, ready for a training step.
type Pair struct {
	Key     string      // names the sample within its set
	Image   image.Image // nil where it is another process that decodes it, see [Share]
	Caption string
	Label   string // name of the class, or "" where the set has none
	// Captions are all that the sample has, from the drawn one on, where they are several.
	Captions []string
}

// Sample is one image that has not been decoded, with all its captions.
type Sample struct {
	// ID numbers the samples of a source: whatever is random about a sample
	// (its caption, its augmentation) depends on the seed, the epoch and ID.
	ID uint64

	File     string // what the image is read from, for error messages
	Path     string // of the image's own file on this machine; "" where it has none, as in a tar
	Key      string
	Captions []string // in the order of the source; one is drawn per epoch
	Label    string

	// Prompts are captions made of the label, for training on a set that has no
	// others. Nothing else takes them for captions.
	Prompts []string

	// Fault, where not nil, is what the source found wrong with the sample,
	// which then need not have captions or a Decode.
	Fault error

	// Decode reads the image. It may be called from any goroutine and more
	// than once. An error or a panic makes this one sample bad, not its source.
	Decode func() (image.Image, error)

	// DecodeContext, where not nil, is called in the place of Decode by all that has a
	// context, whose end it looks at while it decodes.
	DecodeContext func(ctx context.Context) (image.Image, error)

	size int64 // bytes that Decode holds on to
}

// decodes sets both functions that read the image.
func (s *Sample) decodes(decode func(ctx context.Context) (image.Image, error)) {
	s.DecodeContext = decode
	s.Decode = func() (image.Image, error) { return decode(context.Background()) }
}

// Words are the captions, or the prompts where there are none.
func (s Sample) Words() []string {
	if len(s.Captions) == 0 {
		return s.Prompts
	}
	return s.Captions
}

// Pair decodes the image and joins it with caption number draw modulo the
// number of captions, or with a prompt where it has none. The error says what is wrong
// with this sample.
func (s Sample) Pair(draw uint64) (Pair, error) { return s.PairContext(context.Background(), draw) }

// PairContext is [Sample.Pair] until ctx ends, which is then the error.
func (s Sample) PairContext(ctx context.Context, draw uint64) (Pair, error) {
	p, err := s.undecoded(draw)
	if err == nil {
		p.Image, err = s.decode(ctx)
	}
	if err != nil {
		return Pair{}, err
	}
	return p, nil
}

// undecoded is a pair without its image.
func (s Sample) undecoded(draw uint64) (Pair, error) {
	if s.Fault != nil {
		return Pair{}, s.Fault
	}
	words := s.Words()
	if len(words) == 0 {
		return Pair{}, errors.New("no caption and no label")
	}
	at := draw % uint64(len(words))
	caption := words[at]
	switch {
	case !utf8.ValidString(caption):
		return Pair{}, fmt.Errorf("caption %q is not valid UTF-8", caption)
	case caption == "":
		return Pair{}, errors.New("the caption is empty")
	}
	p := Pair{Key: s.Key, Caption: caption, Label: s.Label}
	if len(words) > 1 {
		p.Captions = append(append([]string{}, words[at:]...), words[:at]...)
	}
	return p, nil
}

// Picture decodes the image and joins it with its first caption, if it has any: for
// what is done with images alone.
func (s Sample) Picture() (Pair, error) { return s.PictureContext(context.Background()) }

// PictureContext is [Sample.Picture] until ctx ends, which is then the error.
func (s Sample) PictureContext(ctx context.Context) (Pair, error) {
	if s.Fault != nil {
		return Pair{}, s.Fault
	}
	img, err := s.decode(ctx)
	if err != nil {
		return Pair{}, err
	}
	p := Pair{Key: s.Key, Image: img, Label: s.Label}
	if len(s.Captions) > 0 {
		p.Caption = s.Captions[0]
	}
	return p, nil
}

// decode reads the image.
func (s Sample) decode(ctx context.Context) (img image.Image, err error) {
	err = guard.Call(func() (err error) {
		switch {
		case s.DecodeContext != nil:
			img, err = s.DecodeContext(ctx)
		case s.Decode != nil:
			img, err = s.Decode()
		default:
			return errors.New("the sample has no Decode")
		}
		if err == nil && (img == nil || img.Bounds().Empty()) {
			err = errors.New("the image has no pixels")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return img, nil
}

// Order says in which order a [Source] yields its samples.
type Order struct {
	Shuffle bool
	Seed    uint64
	Epoch   int
	Skip    int // samples left out at the start, for a resumed run
}

// permutation is the order of an epoch over n samples.
func (o Order) permutation(n int) []uint32 {
	d := dice.New(o.Seed, dice.Order, uint64(o.Epoch))
	return d.Permutation(n)
}

// Source is a set of images with captions. All methods may be called from
// several goroutines.
type Source interface {
	// Len returns the number of samples, or -1 where it is not known without
	// reading the whole set.
	Len() int

	// Samples yields one epoch. The same order gives the same samples in the
	// same sequence. A sample that cannot be read is yielded all the same,
	// with a Decode that says why; an error ends the sequence.
	Samples(ctx context.Context, order Order) iter.Seq2[Sample, error]
}

// Captions returns all captions of a set's first n samples, of all where n is 0:
// what a tokenizer learns its vocabulary from.
func Captions(ctx context.Context, src Source, n int) ([]string, error) {
	if src == nil {
		return nil, errors.New("dataset: captions: Source is nil")
	}
	var captions []string
	seen := 0
	for sample, err := range src.Samples(ctx, Order{}) {
		if err != nil {
			return nil, err
		}
		captions = append(captions, sample.Words()...)
		if seen++; seen == n {
			break
		}
	}
	return captions, nil
}

// Indexed is a [Source] whose samples are all at hand by number; its shuffle is
// a permutation of the whole set.
type Indexed struct {
	n  int
	at func(i int) Sample
}

var errNoSamples = errors.New("dataset: indexed: at is nil")

// NewIndexed makes a source of n samples. The function at gives sample i, for
// 0 ≤ i < n, without decoding it; it is called from several goroutines.
func NewIndexed(n int, at func(i int) Sample) *Indexed {
	return &Indexed{n: n, at: at}
}

// Len returns the number of samples.
func (x *Indexed) Len() int {
	if x == nil {
		return 0
	}
	return x.n
}

// At returns sample i with its ID set to i. As an index of a slice does, it panics where
// i is not in [0, Len).
func (x *Indexed) At(i int) Sample {
	if n := x.Len(); i < 0 || i >= n {
		panic(fmt.Sprintf("dataset: sample %d of %d", i, n))
	}
	if x.at == nil {
		return Sample{ID: uint64(i), Fault: errNoSamples}
	}
	s := x.at(i)
	s.ID = uint64(i)
	return s
}

// Samples implements [Source].
func (x *Indexed) Samples(ctx context.Context, order Order) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		if x == nil {
			return
		}
		var perm []uint32
		if order.Shuffle {
			perm = order.permutation(x.n)
		}
		for i := order.Skip; i < x.n; i++ {
			if err := ctx.Err(); err != nil {
				yield(Sample{}, err)
				return
			}
			if x.at == nil {
				yield(Sample{}, errNoSamples)
				return
			}
			j := i
			if perm != nil {
				j = int(perm[i])
			}
			if !yield(x.At(j), nil) {
				return
			}
		}
	}
}
