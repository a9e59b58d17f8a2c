package index

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/sweep"
)

// Build embeds the images of a set and returns an index of them, by their keys, with
// their first captions as Meta. Images that cannot be used are left out and listed,
// each with what is wrong; a set of which none is left is an error. An image whose key
// another one of another file has, as in two shards, has its file's name before the key.
func Build(ctx context.Context, m *encoder.Model, src dataset.Source) (x *Index, skipped []error, err error) {
	if err := sweep.Ready(m, src); err != nil {
		return nil, nil, fmt.Errorf("index: build: %w", err)
	}
	x = Of(m)
	var failed error
	from := map[string]string{} // the file that each key is from
	err = sweep.Each(ctx, m, src, &skipped, func(s dataset.Sample, p dataset.Pair, row *encoder.Embeddings) {
		key := p.Key
		if file, twice := from[key]; twice && file != s.File {
			key = strings.TrimSuffix(path.Base(s.File), path.Ext(s.File)) + "/" + key
		}
		from[key] = s.File
		if failed == nil {
			failed = x.Add([]Entry{{Key: key, Meta: p.Caption}}, row)
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
