package index

import (
	"container/heap"
	"fmt"

	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/internal/unitrows"
)

// Hit is one result of a search.
type Hit struct {
	Entry
	Score float64 // cosine of the query and the entry
}

// scanned is the number of rows that a task of a search reads.
const scanned = 1024

// Search returns the k entries nearest to the normalised embedding of a caption
// or of an image, the nearest first; of equally near ones, that with the lesser
// key. There are fewer where the index has fewer. The result is the same to the
// last bit whatever the number of cores and the order in which entries came.
//
// Where keep is not nil, only entries for which it is true are found. It is
// called for entries that would be among the best k so far, from several
// goroutines at once, and must not call methods of the index.
func (x *Index) Search(query []float32, k int, keep func(Entry) bool) ([]Hit, error) {
	switch {
	case x == nil:
		return nil, errClosed
	case len(query) != x.dim:
		return nil, fmt.Errorf("index: a query of %d numbers, want %d", len(query), x.dim)
	case k < 0:
		return nil, fmt.Errorf("index: %d hits, want 0 or more", k)
	case unitrows.First(query, max(x.dim, 1)) >= 0:
		return nil, fmt.Errorf("index: the query %s", unitrows.Fault(query))
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.close == nil {
		return nil, errClosed
	}
	var tasks [][2]int
	for _, part := range [][2]int{{0, x.first}, {x.first, len(x.entries)}} {
		for from := part[0]; from < part[1]; from += scanned {
			tasks = append(tasks, [2]int{from, min(from+scanned, part[1])})
		}
	}
	found := make([]ranking, len(tasks))
	err := guard.Call(func() error { // keep may panic
		parallel.For(len(tasks), func(t int) {
			found[t] = x.scan(query, tasks[t][0], tasks[t][1], k, keep)
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("index: search: %w", err)
	}
	var best ranking
	for _, r := range found {
		for _, c := range r {
			if best.admits(c, k) {
				best.take(c, k)
			}
		}
	}
	hits := make([]Hit, len(best))
	for i := len(hits) - 1; i >= 0; i-- {
		c := heap.Pop(&best).(candidate)
		hits[i] = Hit{x.entries[c.row], float64(c.score)}
	}
	return hits, nil
}

// scan returns the best of consecutive rows.
func (x *Index) scan(query []float32, from, to, k int, keep func(Entry) bool) ranking {
	var best ranking
	rows := x.rows(from, to)
	for i := from; i < to; i++ {
		c := candidate{kernel.Dot(query, rows[:x.dim]), i, x.entries[i].Key}
		rows = rows[x.dim:]
		if best.admits(c, k) && !x.gone[i] && (keep == nil || keep(x.entries[i])) {
			best.take(c, k)
		}
	}
	return best
}

type candidate struct {
	score float32
	row   int
	key   string
}

// before is the order of a search's results; no two candidates are equal in it.
func (c candidate) before(d candidate) bool {
	return c.score > d.score || c.score == d.score && c.key < d.key
}

// ranking is a heap of the best candidates, the last of them on top.
type ranking []candidate

func (r ranking) Len() int           { return len(r) }
func (r ranking) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r ranking) Less(i, j int) bool { return r[j].before(r[i]) }
func (r *ranking) Push(c any)        { *r = append(*r, c.(candidate)) }
func (r *ranking) Pop() any {
	c := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return c
}

// admits tells whether c is among the best k so far. A score that is no number, as of a
// damaged file, never is.
func (r ranking) admits(c candidate, k int) bool {
	return len(r) < k && c.score == c.score || k > 0 && len(r) == k && c.before(r[0])
}

// take adds a candidate that is.
func (r *ranking) take(c candidate, k int) {
	if len(*r) < k {
		heap.Push(r, c)
		return
	}
	(*r)[0] = c
	heap.Fix(r, 0)
}
