package index

import (
	"context"
	"fmt"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/sweep"
)

// Build embeds the images of a set and returns an index of them, by their keys, with
// their first captions as Meta. Images that cannot be used are left out and listed,
// each with what is wrong; a set of which none is left is an error. Of images with
// the same key, the last one stays.
func Build(ctx context.Context, m *encoder.Model, src dataset.Source) (x *Index, skipped []error, err error) {
	if err := sweep.Ready(m, src); err != nil {
		return nil, nil, fmt.Errorf("index: build: %w", err)
	}
	x = Of(m)
	var failed error
	err = sweep.Each(ctx, m, src, &skipped, func(_ dataset.Sample, p dataset.Pair, row *encoder.Embeddings) {
		if failed == nil {
			failed = x.Add([]Entry{{Key: p.Key, Meta: p.Caption}}, row)
		}
	})
	switch {
	case err != nil:
		return nil, skipped, fmt.Errorf("index: %w", err)
	case failed != nil:
		return nil, skipped, failed
	case x.Len() == 0:
		return nil, skipped, fmt.Errorf("index: %w", sweep.Nothing(skipped))
	}
	return x, skipped, nil
}
