package eval

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
)

// Retrieval is recall@k both ways over a set of pictures with captions: the
// share of queries with a right answer among the k nearest. A picture with
// several captions has several right answers, and each caption is a query, as
// CLIP's benchmarks count. A right answer comes after the wrong ones that are as
// near, among them the same words for another picture.
type Retrieval struct {
	Images, Captions         int
	Truncated                int             // captions that did not fit into the context length
	ImageToText, TextToImage map[int]float64 // by k
	Skipped                  []error         // samples that could not be used, and why
}

// Retrieve measures recall@k for each k. Samples that cannot be used are skipped
// and listed; a set of which none is left is an error.
func Retrieve(ctx context.Context, m *encoder.Model, src dataset.Source, ks ...int) (*Retrieval, error) {
	r := &Retrieval{ImageToText: make(map[int]float64), TextToImage: make(map[int]float64)}
	var rows []float32
	var texts []string
	var owner []int // picture of each caption
	err := each(ctx, m, src, &r.Skipped, func(sample dataset.Sample, _ dataset.Pair, row *encoder.Embeddings) {
		for _, c := range sample.Captions {
			texts, owner = append(texts, c), append(owner, r.Images)
		}
		rows = append(rows, row.Data...)
		r.Images++
	})
	if err != nil {
		return nil, err
	}
	if r.Images == 0 {
		return nil, nothing(r.Skipped)
	}
	words, err := m.EncodeTexts(ctx, texts...)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	if !kernel.AllFinite(words.Data) {
		return nil, errors.New("eval: a caption's embedding is not finite")
	}
	r.Captions, r.Truncated = words.N, words.Truncated
	images := &encoder.Embeddings{N: r.Images, Dim: words.Dim, Data: rows}
	recall(r.ImageToText, ks, ranks(images, words, func(image, caption int) bool { return owner[caption] == image }))
	recall(r.TextToImage, ks, ranks(words, images, func(caption, image int) bool { return owner[caption] == image }))
	return r, nil
}

// recall is the share of ranks below each k.
func recall(at map[int]float64, ks, ranks []int) {
	for _, k := range ks {
		hit := 0
		for _, rank := range ranks {
			if rank < k {
				hit++
			}
		}
		at[k] = float64(hit) / float64(len(ranks))
	}
}

// ranks returns how many wrong answers stand before each query's first right
// one; equal similarity counts against the query.
func ranks(queries, answers *encoder.Embeddings, right func(query, answer int) bool) []int {
	out := make([]int, queries.N)
	kernel.Parallel(queries.N, func(q int) {
		sim := make([]float32, answers.N)
		best := float32(math.Inf(-1))
		for a := range sim {
			sim[a] = kernel.Dot(queries.Row(q), answers.Row(a))
			if right(q, a) {
				best = max(best, sim[a])
			}
		}
		for a, s := range sim {
			if !right(q, a) && s >= best {
				out[q]++
			}
		}
	})
	return out
}
