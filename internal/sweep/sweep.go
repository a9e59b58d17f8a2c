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
// their pixels, and then encoded. While they are, the next are decoded.
const (
	ahead       = 8
	most        = 64
	batchPixels = 1 << 24
)

// batch is of samples that were decoded, each with its pair, and of what cannot be used.
type batch struct {
	samples []dataset.Sample
	pairs   []dataset.Pair
	pixels  int
	skipped []error
}

// pass goes through a set once.
type pass struct {
	ctx     context.Context
	model   *encoder.Model
	skipped *[]error
	use     func(dataset.Sample, dataset.Pair, *encoder.Embeddings)
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
	return p.each(src)
}

// each encodes what decoding has made ready. Decoding is on a goroutine of its own, and on
// the cores that the model leaves: both share those of package parallel.
func (p *pass) each(src dataset.Source) (err error) {
	ctx, stop := context.WithCancel(p.ctx)
	ready := make(chan *batch)
	var failed error // of decoding
	go func() {
		defer close(ready)
		failed = guard.Call(func() error { return decodeAll(ctx, src, ready) }) // a source may be the caller's own
	}()
	defer func() {
		stop()
		for range ready { // until decoding has ended
		}
		if err == nil {
			err = failed
		}
	}()
	for b := range ready {
		if err := p.encode(b); err != nil {
			return err
		}
	}
	return nil
}

// decodeAll sends batches of a set's images. One is ready while another is encoded.
func decodeAll(ctx context.Context, src dataset.Source, ready chan<- *batch) error {
	b, waiting := new(batch), make([]dataset.Sample, 0, ahead)
	next := func() error {
		b.decode(ctx, waiting)
		waiting = waiting[:0]
		return ctx.Err()
	}
	send := func() error {
		select {
		case ready <- b:
			b = new(batch)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for sample, err := range src.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return err
		}
		if waiting = append(waiting, sample); len(waiting) < ahead {
			continue
		}
		if err := next(); err != nil {
			return err
		}
		if len(b.pairs) >= most || b.pixels >= batchPixels {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := next(); err != nil {
		return err
	}
	return send()
}

// decode makes pairs of the samples that wait.
func (b *batch) decode(ctx context.Context, waiting []dataset.Sample) {
	pairs, errs, pixels := make([]dataset.Pair, len(waiting)), make([]error, len(waiting)), make([]int, len(waiting))
	parallel.For(len(waiting), func(i int) {
		errs[i] = guard.Call(func() (err error) { // the image may be the caller's own
			if pairs[i], err = waiting[i].PictureContext(ctx); err == nil {
				size := pairs[i].Image.Bounds().Size()
				pixels[i] = size.X * size.Y
			}
			return err
		})
	})
	for i, sample := range waiting {
		if errs[i] != nil {
			b.skip(sample, errs[i])
			continue
		}
		b.samples, b.pairs = append(b.samples, sample), append(b.pairs, pairs[i])
		b.pixels += pixels[i]
	}
}

func (b *batch) skip(sample dataset.Sample, err error) {
	b.skipped = append(b.skipped, &dataset.SampleError{File: sample.File, Key: sample.Key, Err: err})
}

// encode hands out the pairs of a batch with their embeddings.
func (p *pass) encode(b *batch) error {
	defer func() { *p.skipped = append(*p.skipped, b.skipped...) }()
	e, err := p.embed(b)
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		return err
	}
	for i, pair := range b.pairs {
		if !kernel.AllFinite(e.Row(i)) {
			b.skip(b.samples[i], errors.New("the image's embedding is not finite"))
			continue
		}
		p.use(b.samples[i], pair, &encoder.Embeddings{N: 1, Dim: e.Dim, Data: e.Row(i)})
	}
	return nil
}

// embed encodes the images of the pairs. Those that cannot be are skipped.
func (p *pass) embed(b *batch) (*encoder.Embeddings, error) {
	for {
		imgs := make([]image.Image, len(b.pairs))
		for i, pair := range b.pairs {
			imgs[i] = pair.Image
		}
		e, err := p.model.EncodeImages(p.ctx, imgs...)
		bad := imageErrors(err)
		if len(bad) == 0 {
			return e, err
		}
		for _, one := range bad {
			b.skip(b.samples[one.Index], one.Err)
		}
		kept := 0
		for i := range imgs {
			if slices.ContainsFunc(bad, func(e *encoder.ImageError) bool { return e.Index == i }) {
				continue
			}
			b.pairs[kept], b.samples[kept], kept = b.pairs[i], b.samples[i], kept+1
		}
		b.pairs, b.samples = b.pairs[:kept], b.samples[:kept]
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
	return &NothingError{skipped}
}

// NothingError says that no image of a set can be used, and why of each.
type NothingError struct{ Skipped []error }

func (e *NothingError) Error() string {
	return fmt.Sprintf("none of %d images can be used; the first: %v", len(e.Skipped), e.Skipped[0])
}

// Unwrap returns what is wrong with the first.
func (e *NothingError) Unwrap() error { return e.Skipped[0] }
