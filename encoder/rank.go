package encoder

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/goclip/goclip/internal/unitrows"
)

// Ranked is a candidate and how well it fits.
type Ranked struct {
	Index int     // among the candidates
	Score float64 // cosine of the query and the candidate
}

// Rank orders candidates by the cosine of their normalised embeddings with the
// query's, the best first; of equally good ones, the earlier. The CLIP score of
// Hessel et al. (2021) is 2.5 times the cosine, or 0 where that is negative, and
// so has the same order.
func Rank(query []float32, candidates *Embeddings) ([]Ranked, error) {
	if err := candidates.validate(); err != nil {
		return nil, fmt.Errorf("encoder: rank: %w", err)
	}
	if len(query) != candidates.Dim {
		return nil, fmt.Errorf("encoder: rank: a query of %d numbers for candidates of %d", len(query), candidates.Dim)
	}
	if i := unitrows.First(query, len(query)); i >= 0 {
		return nil, fmt.Errorf("encoder: rank: the query %s", unitrows.Fault(query))
	}
	if i := unitrows.First(candidates.Data, candidates.Dim); i >= 0 {
		return nil, fmt.Errorf("encoder: rank: candidate %d %s", i/max(1, candidates.Vectors), unitrows.Fault(candidates.Data[i*candidates.Dim:][:candidates.Dim]))
	}
	ranked := make([]Ranked, candidates.N)
	for i := range ranked {
		ranked[i] = Ranked{i, candidates.Cosine(i, query)}
	}
	sortRanked(ranked)
	return ranked, nil
}

// RankImages orders images by how well they fit a prompt, the best first. It
// can choose among many images generated for one prompt, as DALL·E does with
// CLIP (Ramesh et al., 2021).
func (m *Model) RankImages(ctx context.Context, prompt string, imgs ...image.Image) ([]Ranked, error) {
	query, err := m.EncodeTexts(ctx, prompt)
	if err != nil {
		return nil, err
	}
	candidates, err := m.EncodeImages(ctx, imgs...)
	if err != nil {
		return nil, err
	}
	return Rank(query.Data, candidates)
}

// RankTexts orders captions by how well they fit an image, the best first.
func (m *Model) RankTexts(ctx context.Context, img image.Image, captions ...string) ([]Ranked, error) {
	query, err := m.EncodeImages(ctx, img)
	if err != nil {
		return nil, err
	}
	candidates, err := m.EncodeTexts(ctx, captions...)
	if err != nil {
		return nil, err
	}
	if query.Vectors < 2 {
		return Rank(query.Data, candidates)
	}
	ranked := make([]Ranked, candidates.N)
	for i := range ranked {
		ranked[i] = Ranked{i, query.Cosine(0, candidates.Row(i))}
	}
	sortRanked(ranked)
	return ranked, nil
}

func sortRanked(ranked []Ranked) {
	slices.SortStableFunc(ranked, func(a, b Ranked) int { return cmp.Compare(b.Score, a.Score) })
}
