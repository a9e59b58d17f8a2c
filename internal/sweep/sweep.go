// Package sweep encodes the images of a set with a model, in one pass.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Images are decoded a few at once, until there are so many of them or of
// their pixels, and then encoded.
const (
	ahead       = 8
	batch       = 64
	batchPixels = 1 << 24
)

// pass goes through a set once.
type pass struct {
	ctx     context.Context
	model   *encoder.Model
	skipped *[]error
	use     func(dataset.Sample, dataset.Pair, *encoder.Embeddings)

	waiting []dataset.Sample // to be decoded
	samples []dataset.Sample // decoded, each with its pair
	pairs   []dataset.Pair
	pixels  int
}

// Ready reports what is missing for a pass.
func Ready(m *encoder.Model, src dataset.Source) error {
	switch {
	case m == nil:
		return errors.New("the model is nil")
	case src == nil:
		return errors.New("the source is nil")
	case m.Config().Vision == nil:
		return errors.New("the model has no image tower")
	}
	return nil
}

// Each encodes the images of a set and hands them out one by one, in order. What
// cannot be used is added to skipped. Use is called from one goroutine.
func Each(ctx context.Context, m *encoder.Model, src dataset.Source, skipped *[]error,
	use func(dataset.Sample, dataset.Pair, *encoder.Embeddings)) error {
	if err := Ready(m, src); err != nil {
		return err
	}
	p := &pass{ctx: ctx, model: m, skipped: skipped, use: use}
	for sample, err := range src.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return err
		}
		if p.waiting = append(p.waiting, sample); len(p.waiting) < ahead {
			continue
		}
		p.decode()
		if len(p.pairs) >= batch || p.pixels >= batchPixels {
			if err := p.encode(); err != nil {
				return err
			}
		}
	}
	p.decode()
	return p.encode()
}

// decode makes pairs of the samples that wait.
func (p *pass) decode() {
	pairs, errs, pixels := make([]dataset.Pair, len(p.waiting)), make([]error, len(p.waiting)), make([]int, len(p.waiting))
	parallel.For(len(p.waiting), func(i int) {
		errs[i] = guard.Call(func() (err error) { // the image may be the caller's own
			if pairs[i], err = p.waiting[i].Picture(); err == nil {
				size := pairs[i].Image.Bounds().Size()
				pixels[i] = size.X * size.Y
			}
			return err
		})
	})
	for i, sample := range p.waiting {
		if errs[i] != nil {
			p.skip(sample, errs[i])
			continue
		}
		p.samples, p.pairs = append(p.samples, sample), append(p.pairs, pairs[i])
		p.pixels += pixels[i]
	}
	p.waiting = p.waiting[:0]
}

func (p *pass) skip(sample dataset.Sample, err error) {
	*p.skipped = append(*p.skipped, &dataset.SampleError{File: sample.File, Key: sample.Key, Err: err})
}

// encode hands out the pairs with their embeddings.
func (p *pass) encode() error {
	e, err := p.embed()
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		return err
	}
	for i, pair := range p.pairs {
		if !kernel.AllFinite(e.Row(i)) {
			p.skip(p.samples[i], errors.New("the image's embedding is not finite"))
			continue
		}
		p.use(p.samples[i], pair, &encoder.Embeddings{N: 1, Dim: e.Dim, Data: e.Row(i)})
	}
	clear(p.samples) // so that no image outlives its batch
	clear(p.pairs)
	p.samples, p.pairs, p.pixels = p.samples[:0], p.pairs[:0], 0
	return nil
}

// embed encodes the images of the pairs. Those that cannot be are skipped.
func (p *pass) embed() (*encoder.Embeddings, error) {
	for {
		imgs := make([]image.Image, len(p.pairs))
		for i, pair := range p.pairs {
			imgs[i] = pair.Image
		}
		e, err := p.model.EncodeImages(p.ctx, imgs...)
		bad := imageErrors(err)
		if len(bad) == 0 {
			return e, err
		}
		for _, b := range bad {
			p.skip(p.samples[b.Index], b.Err)
		}
		kept := 0
		for i := range imgs {
			if slices.ContainsFunc(bad, func(e *encoder.ImageError) bool { return e.Index == i }) {
				continue
			}
			p.pairs[kept], p.samples[kept], kept = p.pairs[i], p.samples[i], kept+1
		}
		p.pairs, p.samples = p.pairs[:kept], p.samples[:kept]
	}
}

// imageErrors lists the images that an error is about; none where it is about something
// else as well.
func imageErrors(err error) []*encoder.ImageError {
	if one, ok := err.(*encoder.ImageError); ok {
		return []*encoder.ImageError{one}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var all []*encoder.ImageError
	for _, e := range joined.Unwrap() {
		one, ok := e.(*encoder.ImageError)
		if !ok {
			return nil
		}
		all = append(all, one)
	}
	return all
}

// Nothing is the error of a set without an image that can be used.
func Nothing(skipped []error) error {
	if len(skipped) == 0 {
		return errors.New("the set is empty")
	}
	return fmt.Errorf("none of %d images can be used; the first: %w", len(skipped), skipped[0])
}
