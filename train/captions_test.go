package train_test

import (
	"context"
	"iter"

	"github.com/goclip/goclip/dataset"
)

// captions are those of every sample.
func captions(src dataset.Source) iter.Seq[string] {
	return func(yield func(string) bool) {
		for sample := range src.Samples(context.Background(), dataset.Order{}) {
			for _, c := range sample.Captions {
				if !yield(c) {
					return
				}
			}
		}
	}
}
