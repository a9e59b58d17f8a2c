package index_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// shelf is what an index should hold, by key.
type shelf map[string]book

type book struct {
	meta string
	row  []float32
}

// nearest sorts everything that passes, in float64.
func (s shelf) nearest(query []float32, k int, keep func(index.Entry) bool) []index.Hit {
	var hits []index.Hit
	for key, b := range s {
		h := index.Hit{Entry: index.Entry{Key: key, Meta: b.meta}}
		for i, v := range b.row {
			h.Score += float64(v) * float64(query[i])
		}
		if keep == nil || keep(h.Entry) {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b index.Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Key, b.Key))
	})
	return hits[:min(k, len(hits))]
}

func (s shelf) agrees(t *testing.T, x *index.Index, query []float32) {
	t.Helper()
	if x.Len() != len(s) {
		t.Fatalf("%d entries, want %d", x.Len(), len(s))
	}
	odd := func(e index.Entry) bool { return len(e.Meta)%2 == 1 }
	for _, k := range []int{0, 1, 10, len(s) + 5} {
		for _, keep := range []func(index.Entry) bool{nil, odd} {
			got, err := x.Search(query, k, keep)
			check(t, err)
			if want := s.nearest(query, k, keep); !slices.Equal(got, want) {
				t.Fatalf("k = %d, filtered: %t: got %d hits, %.6v …, want %d, %.6v …", k, keep != nil, len(got), got, len(want), want)
			}
		}
	}
	var keys []string
	for e := range x.Entries() {
		keys = append(keys, e.Key)
		if again, ok := x.Get(e.Key); !ok || again != e || e.Meta != s[e.Key].meta {
			t.Fatalf("entry %v, got again %v, want meta %q", e, again, s[e.Key].meta)
		}
	}
	if want := slices.Sorted(maps.Keys(s)); !slices.Equal(keys, want) {
		t.Fatalf("%d keys, want %d in order", len(keys), len(want))
	}
}

// TestIndexIsExact adds, replaces, deletes, saves and opens at random, and
// compares each time with a map that is searched by its definition.
func TestIndexIsExact(t *testing.T) {
	const top = 3000
	rng := rand.New(rand.NewPCG(4, 4))
	vectors := halves(20_000)
	want, x := shelf{}, index.New(4)
	path := filepath.Join(t.TempDir(), "index")
	for round := range 40 {
		var entries []index.Entry
		from := rng.IntN(vectors.N - 500)
		for _, i := range rng.Perm(top)[:rng.IntN(500)] {
			e := index.Entry{Key: fmt.Sprint("key ", i), Meta: strings.Repeat("m", rng.IntN(4))}
			want[e.Key] = book{e.Meta, vectors.Row(from + len(entries))}
			entries = append(entries, e)
		}
		check(t, x.Add(entries, &encoder.Embeddings{N: len(entries), Dim: 4, Data: vectors.Data[4*from:][:4*len(entries)]}))
		var keys []string
		there := 0
		for _, i := range rng.Perm(top)[:rng.IntN(400)] {
			key := fmt.Sprint("key ", i)
			if _, ok := want[key]; ok {
				there++
			}
			delete(want, key)
			keys = append(keys, key)
		}
		if n := x.Delete(append(keys, keys...)...); n != there {
			t.Fatalf("deleted %d, want %d", n, there)
		}
		want.agrees(t, x, vectors.Row(round))
		if round%7 == 0 {
			check(t, x.Save(path))
			again, err := index.Open(path, nil)
			check(t, err)
			check(t, x.Close())
			x = again
			want.agrees(t, x, vectors.Row(round))
		}
	}
	check(t, x.Close())
}

// TestIndexBits: scores are the same bits for any number of cores, and so is the
// order, whatever order the entries came in.
func TestIndexBits(t *testing.T) {
	const n, dim = 5000, 33
	rng := rand.New(rand.NewPCG(5, 5))
	e := &encoder.Embeddings{N: n, Dim: dim, Data: make([]float32, n*dim)}
	for i := range n {
		row, norm := e.Row(i), 0.0
		for j := range row {
			row[j] = float32(rng.NormFloat64())
			norm += float64(row[j]) * float64(row[j])
		}
		for j := range row {
			row[j] /= float32(math.Sqrt(norm))
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want []index.Hit
	for _, procs := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(procs)
		x := index.New(dim)
		for _, i := range rng.Perm(n) {
			check(t, x.Add([]index.Entry{{Key: fmt.Sprint(i)}}, &encoder.Embeddings{N: 1, Dim: dim, Data: e.Row(i)}))
		}
		got, err := x.Search(e.Row(9), 100, nil)
		check(t, err)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %d cores: got %v, want %v", procs, got, want)
		}
		even := func(e index.Entry) bool { return len(e.Key)%2 == 0 }
		each, err := x.SearchEach(e.Data[:13*dim], 50, even)
		check(t, err)
		for i, hits := range each {
			alone, err := x.Search(e.Row(i), 50, even)
			check(t, err)
			if !slices.Equal(hits, alone) {
				t.Errorf("with %d cores: query %d of 13 has %v, alone %v", procs, i, hits, alone)
			}
		}
	}
}

func TestIndexIsConcurrent(t *testing.T) {
	vectors := halves(3000)
	x := index.New(4)
	path := filepath.Join(t.TempDir(), "index")
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := w; i < 300; i += 6 {
				err := x.Add([]index.Entry{{Key: fmt.Sprint(i)}}, &encoder.Embeddings{N: 1, Dim: 4, Data: vectors.Row(i)})
				if err == nil {
					_, err = x.Search(vectors.Row(i), 3, func(e index.Entry) bool { return e.Key != "7" })
				}
				if err == nil && w == 0 {
					err = x.Save(path)
				}
				if err != nil {
					t.Error(err)
				}
				if i%5 == 0 {
					x.Delete(fmt.Sprint(i))
				}
				for e := range x.Entries() {
					x.Get(e.Key)
				}
			}
		}()
	}
	wg.Wait()
	if x.Len() != 240 {
		t.Errorf("%d entries are left, want 240", x.Len())
	}
}

func TestIndexRefuses(t *testing.T) {
	x, rows := index.New(4), halves(2)
	two := []index.Entry{{Key: "a"}, {Key: "b"}}
	fails(t, "embeddings of 3 numbers, want 4", x.Add(two, &encoder.Embeddings{N: 2, Dim: 3, Data: make([]float32, 6)}))
	fails(t, "1 entries for 2 embeddings", x.Add(two[:1], rows))
	fails(t, "hold 7 numbers, want N × Dim = 2 × 4", x.Add(two, &encoder.Embeddings{N: 2, Dim: 4, Data: make([]float32, 7)}))
	fails(t, `key "a" is given twice`, x.Add([]index.Entry{two[0], two[0]}, rows))
	for _, bad := range []float32{0, 0.6, float32(math.NaN()), float32(math.Inf(1))} {
		long := halves(2)
		long.Row(1)[2] = bad
		fails(t, `"b" has an embedding of length `, x.Add(two, long))
	}
	if x.Len() != 0 {
		t.Errorf("%d entries after nothing but errors", x.Len())
	}
	_, err := x.Search([]float32{1, 0}, 1, nil)
	fails(t, "a query of 2 numbers, want 4", err)
	_, err = x.Search(rows.Row(0), -1, nil)
	fails(t, "-1 hits", err)
	_, err = x.SearchEach(make([]float32, 6), 1, nil)
	fails(t, "queries of 6 numbers in all, want 4 each", err)
	_, err = x.SearchEach([]float32{1, 0, 0, 0, 0, 2, 0, 0}, 1, nil)
	fails(t, "query 1 has an embedding of length 2, want 1", err)
	none, err := x.SearchEach(nil, 1, nil)
	check(t, err)
	if len(none) != 0 {
		t.Errorf("no query has %v", none)
	}
	_, err = x.Search([]float32{1, 0, 0, 1}, 1, nil)
	fails(t, "the query has an embedding of length 1.414, want 1", err)
	for _, dim := range []int{0, -1} {
		none := index.New(dim)
		if err := none.Add(nil, &encoder.Embeddings{Dim: dim}); err == nil {
			t.Errorf("an index of dimension %d took embeddings", dim)
		}
	}
	check(t, x.Close())
	check(t, x.Close())
	fails(t, "closed", x.Add(two, rows))
	fails(t, "closed", x.Save(filepath.Join(t.TempDir(), "index")))
	_, err = x.Search(rows.Row(0), 1, nil)
	fails(t, "closed", err)
}
