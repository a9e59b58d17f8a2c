package eval

import (
	"context"
	"iter"

	"github.com/goclip/goclip/dataset"
)

// Watch returns src with a hook for progress: tell is called for every sample
// that is taken, with the number taken so far and src.Len.
func Watch(src dataset.Source, tell func(done, total int)) dataset.Source {
	return watched{src, tell}
}

type watched struct {
	dataset.Source
	tell func(done, total int)
}

func (w watched) Samples(ctx context.Context, order dataset.Order) iter.Seq2[dataset.Sample, error] {
	return func(yield func(dataset.Sample, error) bool) {
		done := order.Skip
		for sample, err := range w.Source.Samples(ctx, order) {
			if err == nil {
				done++
				w.tell(done, w.Len())
			}
			if !yield(sample, err) {
				return
			}
		}
	}
}
