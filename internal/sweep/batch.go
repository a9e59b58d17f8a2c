package sweep

import (
	"context"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/parallel"
)

// batch is of samples that were decoded, each with its pair and with what the tower reads of
// it, and of what cannot be used. Its memory is used again.
type batch struct {
	model    *encoder.Model
	size     int  // images at most
	pictures bool // stay in the pairs

	samples []dataset.Sample
	pairs   []dataset.Pair
	inputs  []float32 // each of Preprocess.Len() numbers
	grids   [][2]int  // where they are patches
	seen    int       // pixels of the pictures
	skipped []error
}

func newBatch(m *encoder.Model, pictures bool) *batch {
	pass := m.ImagesPerPass()
	b := &batch{model: m, size: min(most, pass*max(1, least/pass)), pictures: pictures}
	b.inputs, b.grids = make([]float32, b.size*m.Config().Preprocess.Len()), make([][2]int, b.size)
	return b
}

func (b *batch) clear() {
	clear(b.samples)
	clear(b.pairs)
	b.samples, b.pairs, b.seen, b.skipped = b.samples[:0], b.pairs[:0], 0, nil
}

// room is how many images there is room for.
func (b *batch) room() int { return b.size - len(b.pairs) }

func (b *batch) full() bool { return b.room() == 0 || b.pictures && b.seen >= batchPixels }

// input is what the tower reads of image i.
func (b *batch) input(i int) []float32 {
	n := b.model.Config().Preprocess.Len()
	return b.inputs[i*n : (i+1)*n]
}

// decode makes pairs of the samples that wait.
func (b *batch) decode(ctx context.Context, waiting []dataset.Sample) {
	first := len(b.pairs)
	pairs, errs, pixels := make([]dataset.Pair, len(waiting)), make([]error, len(waiting)), make([]int, len(waiting))
	parallel.For(len(waiting), func(i int) {
		errs[i] = guard.Call(func() (err error) { // the image may be the caller's own
			if pairs[i], err = waiting[i].PictureContext(ctx); err != nil {
				return err
			}
			size := pairs[i].Image.Bounds().Size()
			pixels[i] = size.X * size.Y
			p := b.model.Config().Preprocess
			if p.MaxPatches > 0 {
				b.grids[first+i], err = p.Patches(b.input(first+i), pairs[i].Image)
			} else {
				err = p.Image(b.input(first+i), pairs[i].Image)
			}
			if !b.pictures {
				pairs[i].Image = nil
			}
			return err
		})
	})
	for i, sample := range waiting {
		if errs[i] != nil {
			b.skip(sample, errs[i])
			continue
		}
		at := len(b.pairs)
		copy(b.input(at), b.input(first+i))
		b.grids[at] = b.grids[first+i]
		sample.Decode, sample.DecodeContext = nil, nil // which may hold the file
		b.samples, b.pairs = append(b.samples, sample), append(b.pairs, pairs[i])
		b.seen += pixels[i]
	}
}

func (b *batch) skip(sample dataset.Sample, err error) {
	b.skipped = append(b.skipped, &dataset.SampleError{File: sample.File, Key: sample.Key, Err: err})
}

// features are those of the images, before normalisation.
func (b *batch) features(ctx context.Context) (*encoder.Embeddings, error) {
	n := len(b.pairs)
	inputs := b.inputs[:n*b.model.Config().Preprocess.Len()]
	if b.model.Config().Preprocess.MaxPatches > 0 {
		return b.model.PatchFeatures(ctx, inputs, b.grids[:n])
	}
	return b.model.ImageFeatures(ctx, inputs)
}
