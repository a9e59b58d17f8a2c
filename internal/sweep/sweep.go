// Package sweep encodes the images of a set with a model, in one pass.
package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
)

// Images are decoded a few at once and reduced to what the tower reads, until there are as
// many as a batch has, and then encoded. While they are, the next are decoded. So what is in
// memory is two batches of small images, and of large ones those that are being decoded.
const (
	ahead       = 8
	least, most = 16, 64
	batchPixels = 1 << 24 // of pictures that are kept
)

// Use is given a sample with its pair and its embedding.
type Use func(dataset.Sample, dataset.Pair, *encoder.Embeddings)

// pass goes through a set once.
type pass struct {
	ctx      context.Context
	model    *encoder.Model
	skipped  *[]error
	use      Use
	pictures bool // are kept until they are used
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

// Each encodes the images of a set and hands them out one by one, in order, without their
// pictures and the samples' Decode. What cannot be used is added to skipped. Use is called
// from one goroutine.
func Each(ctx context.Context, m *encoder.Model, src dataset.Source, skipped *[]error, use Use) error {
	return (&pass{ctx, m, skipped, use, false}).each(src)
}

// EachPicture is [Each] with the pictures, which takes more memory where they are large.
func EachPicture(ctx context.Context, m *encoder.Model, src dataset.Source, skipped *[]error, use Use) error {
	return (&pass{ctx, m, skipped, use, true}).each(src)
}

// each encodes what decoding has made ready. Decoding is on a goroutine of its own, and on
// the cores that the model leaves: both share those of package parallel.
func (p *pass) each(src dataset.Source) (err error) {
	if err := Ready(p.model, src); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(p.ctx)
	free, ready := make(chan *batch, 2), make(chan *batch)
	for range cap(free) {
		free <- newBatch(p.model, p.pictures)
	}
	var failed error // of decoding
	go func() {
		defer close(ready)
		failed = guard.Call(func() error { return decodeAll(ctx, src, free, ready) }) // a source may be the caller's own
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
		b.clear()
		free <- b
	}
	return nil
}

// decodeAll sends batches of a set's images. One is ready while another is encoded.
func decodeAll(ctx context.Context, src dataset.Source, free <-chan *batch, ready chan<- *batch) error {
	b, waiting := <-free, make([]dataset.Sample, 0, ahead)
	next := func() error {
		b.decode(ctx, waiting)
		clear(waiting)
		waiting = waiting[:0]
		return ctx.Err()
	}
	send := func() error {
		select {
		case ready <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case b = <-free:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for sample, err := range src.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return err
		}
		if waiting = append(waiting, sample); len(waiting) < min(ahead, b.room()) {
			continue
		}
		if err := next(); err != nil {
			return err
		}
		if b.full() {
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

// encode hands out the pairs of a batch with their embeddings.
func (p *pass) encode(b *batch) error {
	defer func() { *p.skipped = append(*p.skipped, b.skipped...) }()
	e, err := b.features(p.ctx)
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		return err
	}
	for i, pair := range b.pairs {
		row := e.Row(i)
		nn.NormalizeRow(row, row)
		if !kernel.AllFinite(row) {
			b.skip(b.samples[i], errors.New("the image's embedding is not finite"))
			continue
		}
		p.use(b.samples[i], pair, &encoder.Embeddings{N: 1, Dim: e.Dim, Data: row})
	}
	return nil
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
