package eval

import (
	"context"
	"fmt"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
)

// Retrieval is recall@k both ways over a set of pictures with captions: the
// share of queries with a right answer among the k nearest. A picture with
// several captions has several right answers, and each caption is a query, as
// CLIP's benchmarks count.
type Retrieval struct {
	Images, Captions         int
	ImageToText, TextToImage map[int]float64 // by k
	Skipped                  []error         // samples that could not be used, and why
}

// Retrieve measures recall@k for each k.
func Retrieve(ctx context.Context, m *encoder.Model, src dataset.Source, ks ...int) (*Retrieval, error) {
	r := &Retrieval{ImageToText: make(map[int]float64), TextToImage: make(map[int]float64)}
	captions := make(map[string][]string)
	for sample, err := range src.Samples(ctx, dataset.Order{}) {
		if err != nil {
			return nil, err
		}
		captions[sample.Key] = sample.Captions
	}
	var rows []float32
	var texts []string
	var owner []int // picture of each caption
	err := each(ctx, m, src, func(pair dataset.Pair, row *encoder.Embeddings) error {
		for _, c := range captions[pair.Key] {
			texts, owner = append(texts, c), append(owner, r.Images)
		}
		rows = append(rows, row.Data...)
		r.Images++
		return nil
	}, &r.Skipped)
	if err != nil {
		return nil, err
	}
	if r.Images == 0 {
		return nil, fmt.Errorf("eval: no picture could be used, %d were skipped", len(r.Skipped))
	}
	words, err := m.EncodeTexts(ctx, texts...)
	if err != nil {
		return nil, err
	}
	r.Captions = words.N
	images := &encoder.Embeddings{N: r.Images, Dim: words.Dim, Data: rows}
	r.fill(r.ImageToText, ks, ranks(images, words, func(image, caption int) bool { return owner[caption] == image }))
	r.fill(r.TextToImage, ks, ranks(words, images, func(caption, image int) bool { return owner[caption] == image }))
	return r, nil
}

func (r *Retrieval) fill(recall map[int]float64, ks, ranks []int) {
	for _, k := range ks {
		hit := 0
		for _, rank := range ranks {
			if rank < k {
				hit++
			}
		}
		recall[k] = float64(hit) / float64(len(ranks))
	}
}

// ranks returns how many wrong answers stand before each query's first right
// one; equal similarity counts against the query.
func ranks(queries, answers *encoder.Embeddings, right func(query, answer int) bool) []int {
	out := make([]int, queries.N)
	kernel.Parallel(queries.N, func(q int) {
		sim := make([]float32, answers.N)
		best := float32(-2)
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
