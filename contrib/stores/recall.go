package stores

import (
	"context"
	"fmt"
	"time"

	"github.com/goclip/goclip/index"
)

// Measured is how near a store comes to an exact search.
type Measured struct {
	Recall float64       // share of the k nearest that are found; one that is as near as the k-th counts
	Query  time.Duration // mean time of a query
}

// Recall compares a store with an exact index of the same entries, on queries one behind the
// other. A score that differs from the exact one by more than 1e-4 is an error.
func Recall(ctx context.Context, s *Store, exact *index.Index, queries []float32, k int) (Measured, error) {
	want, err := exact.SearchEach(queries, exact.Len(), nil)
	if err != nil || len(want) == 0 {
		return Measured{}, err
	}
	found, all := 0, 0
	var took time.Duration
	for q, nearest := range want {
		scores := make(map[string]float64, len(nearest))
		for _, h := range nearest {
			scores[h.Key] = h.Score
		}
		began := time.Now()
		hits, err := s.Query(ctx, queries[q*s.dim:][:s.dim], k, Filter{})
		took += time.Since(began)
		if err != nil {
			return Measured{}, err
		}
		n := min(k, len(nearest))
		for _, h := range hits {
			score, ok := scores[h.Key]
			if diff := h.Score - score; !ok || !(max(diff, -diff) <= 1e-4) {
				return Measured{}, fmt.Errorf("stores: recall: query %d: %q scores %.6f, want %.6f", q, h.Key, h.Score, score)
			}
			if score >= nearest[n-1].Score-1e-6 {
				found++
			}
		}
		all += n
	}
	return Measured{float64(found) / float64(all), took / time.Duration(len(want))}, nil
}
