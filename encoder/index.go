package encoder

import (
	"container/heap"
	"fmt"
	"sync"

	"github.com/goclip/goclip/internal/kernel"
)

// Hit is one result of a search.
type Hit struct {
	Key   string
	Score float64 // cosine of the query and the entry
}

// Index is an exact search by cosine over embeddings in memory. It is safe for
// concurrent use.
type Index struct {
	mu   sync.RWMutex
	dim  int
	keys []string
	rows []float32
}

// NewIndex returns an empty index of embeddings of dim numbers.
func NewIndex(dim int) *Index { return &Index{dim: dim} }

// Len returns the number of entries.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.keys)
}

// Add appends normalised embeddings, keys[i] naming row i.
func (x *Index) Add(keys []string, e *Embeddings) error {
	switch {
	case e.Dim != x.dim:
		return fmt.Errorf("encoder: index of dimension %d cannot take embeddings of %d", x.dim, e.Dim)
	case len(keys) != e.N:
		return fmt.Errorf("encoder: %d keys for %d embeddings", len(keys), e.N)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.keys, x.rows = append(x.keys, keys...), append(x.rows, e.Data...)
	return nil
}

// Search returns the k entries nearest to a normalised query, best first; of
// equally near ones the earlier.
func (x *Index) Search(query []float32, k int) ([]Hit, error) {
	if len(query) != x.dim {
		return nil, fmt.Errorf("encoder: index of dimension %d cannot take a query of %d", x.dim, len(query))
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	const block = 4096
	parts := make([]ranking, (len(x.keys)+block-1)/block)
	kernel.Parallel(len(parts), func(p int) {
		for i := p * block; i < min(len(x.keys), (p+1)*block); i++ {
			parts[p].offer(candidate{i, kernel.Dot(query, x.rows[i*x.dim:][:x.dim])}, k)
		}
	})
	var best ranking
	for _, p := range parts {
		for _, c := range p {
			best.offer(c, k)
		}
	}
	hits := make([]Hit, len(best))
	for i := len(hits) - 1; i >= 0; i-- {
		c := heap.Pop(&best).(candidate)
		hits[i] = Hit{x.keys[c.row], float64(c.score)}
	}
	return hits, nil
}

type candidate struct {
	row   int
	score float32
}

// ranking is a heap of the best candidates, the worst of them on top.
type ranking []candidate

func (r ranking) Len() int      { return len(r) }
func (r ranking) Swap(i, j int) { r[i], r[j] = r[j], r[i] }
func (r ranking) Less(i, j int) bool {
	return r[i].score < r[j].score || r[i].score == r[j].score && r[i].row > r[j].row
}
func (r *ranking) Push(c any) { *r = append(*r, c.(candidate)) }
func (r *ranking) Pop() any {
	c := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return c
}

func (r *ranking) offer(c candidate, k int) {
	if len(*r) < k {
		heap.Push(r, c)
	} else if worst := (*r); k > 0 && (c.score > worst[0].score || c.score == worst[0].score && c.row < worst[0].row) {
		worst[0] = c
		heap.Fix(r, 0)
	}
}
