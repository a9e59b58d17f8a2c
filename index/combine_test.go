package index_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// space draws photographs for tests of search: unit vectors of dim numbers around a common
// direction, as a model's are. The first coordinates stand for subjects.
type space struct {
	dim int
	rng *rand.Rand
}

// photo has subjects, each by how much of it is seen.
func (s space) photo(subjects map[int]float64) []float32 {
	v := make([]float64, s.dim)
	for i := range v {
		v[i] = 0.3 * s.rng.NormFloat64()
	}
	v[s.dim-1], v[s.dim-2] = 4, 0 // what all photographs have in common, and what words have
	for i, much := range subjects {
		v[i] += much
	}
	return unit(v)
}

// word is the caption of a subject: far from all photographs, a little less so from those that
// show it.
func (s space) word(subject int) []float32 {
	v := make([]float64, s.dim)
	v[subject], v[s.dim-1], v[s.dim-2] = 0.3, 0.3, 1
	return unit(v)
}

func unit(v []float64) []float32 {
	norm := 0.0
	for _, x := range v {
		norm += x * x
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x / math.Sqrt(norm))
	}
	return out
}

func (s space) add(t *testing.T, x *index.Index, key string, row []float32) {
	t.Helper()
	check(t, x.Add([]index.Entry{{Key: key}}, &encoder.Embeddings{N: 1, Dim: s.dim, Data: row}))
}

// TestStrength: strengths of queries whose cosines lie far apart mean the same, and go on to do
// so when a third of the photographs match. The cosines themselves do not.
func TestStrength(t *testing.T) {
	s := space{64, rand.New(rand.NewPCG(1, 1))}
	for _, matching := range []int{20, 1000} {
		x := index.New(s.dim)
		for i := range 2000 {
			s.add(t, x, fmt.Sprint("other ", i), s.photo(nil))
		}
		for i := range matching {
			s.add(t, x, fmt.Sprint("match ", i), s.photo(map[int]float64{0: 5}))
		}
		picture := s.photo(map[int]float64{0: 5})
		matches, others := map[string]float64{}, map[string]float64{} // their highest cosines
		for name, q := range map[string][]float32{"word": s.word(0), "picture": picture} {
			b, err := x.Background(q)
			check(t, err)
			hits, err := x.Search(q, x.Len(), nil)
			check(t, err)
			above := map[bool]int{}
			for _, h := range hits {
				if b.Above(h.Score) >= 3 {
					above[h.Key[:5] == "match"]++
				}
				if h.Key[:5] == "match" {
					matches[name] = max(matches[name], h.Score)
				} else {
					others[name] = max(others[name], h.Score)
				}
			}
			// Of 2000 that have nothing to do with it 2.7 are above 3, so 12 are too many (p < 1e-4);
			// those of the picture share its noise as well.
			if above[true] < matching*95/100 || above[false] > 12 {
				t.Errorf("%d matching, %s: above 3 are %d matching and %d others", matching, name, above[true], above[false])
			}
		}
		if matches["word"] >= others["picture"] {
			t.Errorf("the cosines of the word reach %v, those of what is unlike the picture %v: the test has no use for a strength", matches["word"], others["picture"])
		}
	}
	few := index.New(s.dim)
	s.add(t, few, "a", s.photo(nil))
	b, err := few.Background(s.word(0))
	check(t, err)
	if b.N != 1 || b.Above(1) != 0 {
		t.Errorf("of one entry: %+v", b)
	}
}

// TestCombine: a word with a minus keeps away what shows it, and a word beside a picture has its
// say, which in a sum of plain cosines it has not.
func TestCombine(t *testing.T) {
	s := space{64, rand.New(rand.NewPCG(2, 2))}
	x := index.New(s.dim)
	for i := range 500 {
		s.add(t, x, fmt.Sprint("other ", i), s.photo(nil))
	}
	for i := range 20 {
		s.add(t, x, fmt.Sprint("beach ", i), s.photo(map[int]float64{0: 3}))
		s.add(t, x, fmt.Sprint("crowd ", i), s.photo(map[int]float64{0: 5, 1: 2.5}))
		s.add(t, x, fmt.Sprint("night ", i), s.photo(map[int]float64{0: 5, 2: 3.2}))
	}
	first := func(terms ...index.Term) map[string]int {
		t.Helper()
		q, err := x.Combine(terms...)
		check(t, err)
		hits, err := x.Search(q, 20, nil)
		check(t, err)
		n := map[string]int{}
		for _, h := range hits {
			n[h.Key[:5]]++
		}
		return n
	}
	beach, people, night := s.word(0), s.word(1), s.word(2)
	if n := first(index.Term{Weight: 1, Embedding: beach}, index.Term{Weight: -1, Embedding: people}); n["crowd"] > 0 || n["other"] > 0 {
		t.Errorf("beach -people finds %v", n)
	}
	if n := first(index.Term{Weight: 1, Embedding: beach}); n["crowd"] == 0 {
		t.Errorf("beach alone finds %v: the test has no use for a minus", n)
	}
	// A picture of a beach by day, and "at night".
	picture := s.photo(map[int]float64{0: 4, 3: 4})
	if n := first(index.Term{Weight: 1, Embedding: picture}, index.Term{Weight: 1, Embedding: night}); n["night"] < 18 {
		t.Errorf("the picture and night find %v", n)
	}
	plain := make([]float64, s.dim)
	for i := range plain {
		plain[i] = float64(picture[i]) + float64(night[i])
	}
	hits, err := x.Search(unit(plain), 20, nil)
	check(t, err)
	n := 0
	for _, h := range hits {
		if h.Key[:5] == "night" {
			n++
		}
	}
	if n >= 18 {
		t.Errorf("%d of a plain sum's are at night: the test has no use for spreads", n)
	}

	alone, err := x.Combine(index.Term{Weight: 3, Embedding: beach})
	check(t, err)
	if !slices.Equal(alone, beach) {
		t.Error("one term is not its embedding")
	}
	_, err = x.Combine(index.Term{Weight: 1, Embedding: beach}, index.Term{Weight: -1, Embedding: beach})
	fails(t, "cancel each other", err)
	_, err = x.Combine()
	fails(t, "no terms", err)
	_, err = x.Combine(index.Term{Weight: math.NaN(), Embedding: beach})
	fails(t, "the weight of term 1 is NaN", err)
	_, err = x.Combine(index.Term{Weight: 1, Embedding: beach[:3]})
	fails(t, "a query of 3 numbers, want 64", err)
}

// TestBackgroundBits: neither cores nor history change a background.
func TestBackgroundBits(t *testing.T) {
	s := space{16, rand.New(rand.NewPCG(3, 3))}
	rows := make([][]float32, 3000)
	for i := range rows {
		rows[i] = s.photo(nil)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want index.Background
	for _, procs := range []int{1, 4} {
		runtime.GOMAXPROCS(procs)
		x := index.New(s.dim)
		for _, i := range s.rng.Perm(len(rows)) {
			s.add(t, x, fmt.Sprint(i), rows[i])
			if i%7 == 0 {
				x.Delete(fmt.Sprint(i))
			}
		}
		got, err := x.Background(s.word(0))
		check(t, err)
		if want == (index.Background{}) {
			want = got
		}
		if got != want {
			t.Errorf("with %d cores: got %+v, want %+v", procs, got, want)
		}
	}
}

// TestMerge: of two indexes of one model comes one; of others nothing.
func TestMerge(t *testing.T) {
	s := space{16, rand.New(rand.NewPCG(4, 4))}
	a, b := index.New(s.dim), index.New(s.dim)
	old, new := s.photo(nil), s.photo(nil)
	s.add(t, a, "both", old)
	s.add(t, a, "mine", old)
	s.add(t, b, "both", new)
	s.add(t, b, "yours", new)
	n, err := a.Merge(b)
	check(t, err)
	row, _ := a.Embedding("both")
	if n != 2 || a.Len() != 3 || !slices.Equal(row, new) {
		t.Errorf("merged %d, %d entries, want 2 and 3, and the other's of one key", n, a.Len())
	}
	m := model(t, 16)
	for _, other := range []*index.Index{index.Of(m), index.New(3), a, nil} {
		if n, err := a.Merge(other); err == nil || n != 0 {
			t.Errorf("merged with %v: %d, %v", other, n, err)
		}
	}
	if _, ok := a.Embedding("none"); ok {
		t.Error("an embedding of no entry")
	}
}
