package eval

import (
	"context"
	"errors"
	"fmt"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/sweep"
)

// Features are the embeddings of a set's images with what is known of them, to
// be measured in several ways without being encoded again. They are not written
// to after [Embed] and may be read by several goroutines.
type Features struct {
	Images   *encoder.Embeddings // (N, D), normalised
	Keys     []string
	Labels   []string // "" where an image has none
	Captions [][]string
	Skipped  []error // samples that could not be used, and why
	// Verbatim compares labels as they are written. Otherwise those of the same words are
	// one class: see [dataset.Options].Templates.
	Verbatim bool
}

// Embed encodes the images of a set. Samples that cannot be used are skipped
// and listed; a set of which none is left is an error. Each image and its
// embedding go to see, which may be nil.
func Embed(ctx context.Context, m *encoder.Model, src dataset.Source, see func(dataset.Pair, *encoder.Embeddings)) (*Features, error) {
	if err := sweep.Ready(m, src); err != nil {
		return nil, fmt.Errorf("eval: embed: %w", err)
	}
	f := &Features{Images: &encoder.Embeddings{Dim: m.Config().EmbedDim()}}
	each := sweep.Each
	if see != nil {
		each = sweep.EachPicture
	}
	err := each(ctx, m, src, &f.Skipped, func(sample dataset.Sample, pair dataset.Pair, row *encoder.Embeddings) {
		f.Images.N++
		f.Images.Data = append(f.Images.Data, row.Data...)
		f.Keys = append(f.Keys, pair.Key)
		f.Labels = append(f.Labels, pair.Label)
		f.Captions = append(f.Captions, sample.Words())
		if see != nil {
			see(pair, row)
		}
	})
	if err == nil && f.Images.N == 0 {
		err = sweep.Nothing(f.Skipped)
	}
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return f, nil
}

// check reports what of features that [Embed] did not make does not go together.
func (f *Features) check() error {
	if f == nil || f.Images == nil {
		return errors.New("the Features are empty, want those of Embed")
	}
	n := f.Images.N
	if len(f.Keys) != n || len(f.Labels) != n || len(f.Captions) != n && len(f.Captions) != 0 {
		return fmt.Errorf("the Features have %d keys, %d labels and captions of %d for %d images", len(f.Keys), len(f.Labels), len(f.Captions), n)
	}
	return f.Images.Validate()
}

// row returns one embedding.
func (f *Features) row(i int) *encoder.Embeddings {
	return &encoder.Embeddings{N: 1, Dim: f.Images.Dim, Data: f.Images.Row(i)}
}

// classification begins a measurement, taking over what was skipped already.
func (f *Features) classification(classes []string, verbatim bool) (*Classification, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("eval: classify: %w", err)
	}
	c := newClassification(classes, verbatim)
	c.Skipped = append(c.Skipped, f.Skipped...)
	return c, nil
}
