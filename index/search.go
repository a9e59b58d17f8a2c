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

// Tasks of a search go through scanned rows, in blocks that stay in a core's cache while
// each query looks at them.
const (
	scanned = 4096
	block   = 64
)

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
	case unitrows.First(query, max(x.dim, 1)) >= 0:
		return nil, fmt.Errorf("index: the query %s", unitrows.Fault(query))
	}
	hits, err := x.SearchEach(query, k, keep)
	if err != nil || len(hits) == 0 { // of no numbers
		return nil, err
	}
	return hits[0], nil
}

// SearchEach is [Index.Search] of several queries, one behind the other in one slice, with
// the same results. The index is read once for all of them, which takes far less time than
// reading it for each.
func (x *Index) SearchEach(queries []float32, k int, keep func(Entry) bool) ([][]Hit, error) {
	switch {
	case x == nil:
		return nil, errClosed
	case len(queries)%max(x.dim, 1) != 0:
		return nil, fmt.Errorf("index: queries of %d numbers in all, want %d each", len(queries), x.dim)
	case k < 0:
		return nil, fmt.Errorf("index: %d hits, want 0 or more", k)
	}
	if i := unitrows.First(queries, max(x.dim, 1)); i >= 0 {
		return nil, fmt.Errorf("index: query %d %s", i, unitrows.Fault(queries[i*x.dim:][:x.dim]))
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.close == nil {
		return nil, errClosed
	}
	hits := make([][]Hit, len(queries)/max(x.dim, 1))
	if k == 0 || len(hits) == 0 {
		return hits, nil
	}
	found, close, err := x.scanAll(queries, k, keep)
	if err != nil {
		return nil, fmt.Errorf("index: search: %w", err)
	}
	parallel.For(len(hits), func(q int) {
		var best ranking
		for _, rankings := range found {
			for _, c := range rankings[q] {
				if best.admits(c, k) {
					best.take(c, k)
				}
			}
		}
		if close != nil {
			x.score(&best, queries[q*x.dim:][:x.dim], close[q].rows, k)
		}
		hits[q] = x.hits(best)
	})
	return hits, nil
}

// scanAll returns the best of each query by task, and what may be among the best of the parts
// that have bytes; nil where none has.
func (x *Index) scanAll(queries []float32, k int, keep func(Entry) bool) (found [][]ranking, close []nearest, err error) {
	type task struct {
		part     *part
		against  *against
		from, to int
	}
	var tasks []task
	var a *asked
	for _, p := range append(x.parts[:len(x.parts):len(x.parts)], &part{first: x.first, n: len(x.entries) - x.first, exact: x.added}) {
		t := task{part: p}
		if p.bytes != nil && (p.exact == nil || kernel.HasIntegers()) {
			if a == nil {
				a, close = ask(queries, x.dim), make([]nearest, len(queries)/x.dim)
			}
			g := a.against(p.bytes)
			t.against = &g
		}
		for from := 0; from < p.n; from += scanned {
			t.from, t.to = p.first+from, p.first+min(from+scanned, p.n)
			tasks = append(tasks, t)
		}
	}
	found = make([][]ranking, len(tasks))
	err = guard.Call(func() error { // keep may panic
		parallel.For(len(tasks), func(i int) {
			if t := tasks[i]; t.against != nil {
				x.scanBytes(close, a, t.part, *t.against, t.from, t.to, k, keep)
				found[i] = make([]ranking, len(close))
			} else {
				found[i] = x.scan(queries, t.part, t.from, t.to, k, keep)
			}
		})
		return nil
	})
	return found, close, err
}

// scan returns the best of consecutive rows for each query.
func (x *Index) scan(queries []float32, p *part, from, to, k int, keep func(Entry) bool) []ranking {
	best := make([]ranking, len(queries)/x.dim)
	scores := make([]float32, len(best)*block)
	for ; from < to; from += block {
		n := min(block, to-from)
		kernel.Dots(scores[:len(best)*n], queries, p.exact[(from-p.first)*x.dim:][:n*x.dim], x.dim)
		for q := range best {
			best[q].look(x, scores[q*n:][:n], from, k, keep)
		}
	}
	return best
}

// look takes what is among the best of consecutive rows.
func (r *ranking) look(x *Index, scores []float32, from, k int, keep func(Entry) bool) {
	for i, score := range scores {
		if k == 0 || len(*r) == k && score < (*r)[0].score {
			continue // as nearly all are
		}
		c := candidate{score, from + i, x.entries[from+i].Key}
		if r.admits(c, k) && !x.gone[c.row] && (keep == nil || keep(x.entries[c.row])) {
			r.take(c, k)
		}
	}
}

// hits empties a ranking, the nearest first.
func (x *Index) hits(best ranking) []Hit {
	hits := make([]Hit, len(best))
	for i := len(hits) - 1; i >= 0; i-- {
		c := heap.Pop(&best).(candidate)
		hits[i] = Hit{x.entries[c.row], float64(c.score)}
	}
	return hits
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
