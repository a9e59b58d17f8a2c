package index

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/internal/unitrows"
	"github.com/goclip/goclip/nn"
)

// Background is how the entries of an index score on a query that most of them have nothing
// to do with. Cosines of one query cannot be compared with those of another: words have theirs
// with photographs near 0.2, photographs with photographs near 0.6. What they are above the
// background can, see [Background.Above].
type Background struct {
	Median float64
	Spread float64 // the standard deviation of the lower half, where no match disturbs it
	N      int     // entries that were looked at
}

// fewest entries have a background. Below it a score says nothing of a strength.
const fewest = 16

// looked at are at most so many entries, chosen by their keys.
const lookedAt = 1 << 16

// Background returns the background of a normalised query. Of a normal distribution 16 of 100
// lie more than one standard deviation below the median; so the distance from the median to the
// entry that 16 of 100 are below is that deviation, whatever the upper half looks like: it does
// not change when a third of the photographs match. It depends neither on the cores nor on the
// history of the index.
func (x *Index) Background(query []float32) (Background, error) {
	switch {
	case x == nil:
		return Background{}, errClosed
	case len(query) != x.dim:
		return Background{}, fmt.Errorf("index: a query of %d numbers, want %d", len(query), x.dim)
	case unitrows.First(query, max(x.dim, 1)) >= 0:
		return Background{}, fmt.Errorf("index: the query %s", unitrows.Fault(query))
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.close == nil {
		return Background{}, errClosed
	}
	every := uint64(x.live/lookedAt + 1)
	blocks := make([][]float32, (len(x.entries)+scanned-1)/scanned)
	parallel.For(len(blocks), func(b int) {
		for i := b * scanned; i < min(len(x.entries), (b+1)*scanned); i++ {
			if !x.gone[i] && (every == 1 || number(x.entries[i].Key)%every == 0) {
				blocks[b] = append(blocks[b], kernel.Dot(query, x.row(i)))
			}
		}
	})
	scores := slices.Concat(blocks...)
	if len(scores) < fewest {
		return Background{N: len(scores)}, nil
	}
	slices.Sort(scores)
	at := func(share float64) float64 { return float64(scores[int(share*float64(len(scores)-1)+0.5)]) }
	const below = 0.15865525393145707 // of a normal distribution, by one deviation
	return Background{Median: at(0.5), Spread: at(0.5) - at(below), N: len(scores)}, nil
}

// number is of a key, the same always and everywhere.
func number(key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return h.Sum64() >> 8
}

// Above is by how many standard deviations a score is above the background: its strength. Of
// photographs that have nothing to do with a query one in 44 is above 2, one in 740 above 3
// and one in 30,000 above 4, for every query and whatever the model. Of an index that is too small, or whose
// entries all score alike, it is 0.
func (b Background) Above(score float64) float64 {
	if !(b.Spread > 0) {
		return 0
	}
	return (score - b.Median) / b.Spread
}

// Term is an embedding with its weight in a query.
type Term struct {
	Weight    float64 // below 0 for what is not wanted
	Embedding []float32
}

// Combine returns a query for [Index.Search] that asks for several things at once, normalised.
// It ranks by the sum of the terms' strengths, each times its weight: as cosines of words differ
// little from one photograph to the next and those of photographs much, their plain sum would
// leave words without a say. The strengths differ from the cosines by a factor and a constant, so
// the sum is one vector: of each embedding over its background's spread.
//
// One term of a positive weight is its own embedding, to the last bit.
func (x *Index) Combine(terms ...Term) ([]float32, error) {
	if len(terms) == 0 {
		return nil, errors.New("index: combine: no terms")
	}
	sum := make([]float64, x.Dim())
	for i, t := range terms {
		b, err := x.Background(t.Embedding)
		if err != nil {
			return nil, fmt.Errorf("index: combine: term %d: %w", i+1, err)
		}
		if math.IsNaN(t.Weight) || math.IsInf(t.Weight, 0) || t.Weight == 0 {
			return nil, fmt.Errorf("index: combine: the weight of term %d is %v, want a number other than 0", i+1, t.Weight)
		}
		w := t.Weight
		if b.Spread > 0 {
			w /= b.Spread
		}
		for j, v := range t.Embedding {
			sum[j] += w * float64(v)
		}
	}
	if len(terms) == 1 && terms[0].Weight > 0 {
		return slices.Clone(terms[0].Embedding), nil
	}
	most := 0.0
	for _, v := range sum {
		most = max(most, math.Abs(v))
	}
	query := make([]float32, len(sum))
	for j, v := range sum {
		query[j] = float32(v / most)
	}
	nn.NormalizeRow(query, query)
	if unitrows.First(query, max(1, len(query))) >= 0 {
		return nil, errors.New("index: combine: the terms cancel each other")
	}
	return query, nil
}

// Compatible is an error that says why the embeddings of two indexes cannot be compared: they
// are of different models, or of images that were prepared differently.
func (x *Index) Compatible(other *Index) error {
	differ := func(what string, a, b any) error { return fmt.Errorf("one index is %s %v, the other %v", what, a, b) }
	switch {
	case x == nil || other == nil:
		return errClosed
	case x.dim != other.dim:
		return differ("of embeddings of size", x.dim, other.dim)
	case x.upright != other.upright:
		return differ("of images with upright", x.upright, other.upright)
	case x.draft != other.draft && x.model != other.model: // files of earlier versions do not say it, but the model does
		return differ("of images with draft", x.draft, other.draft)
	case x.model != other.model:
		return differ("of the model", short(x.model), short(other.model))
	case x.model != "" && (x.version == firstVersion) != (other.version == firstVersion):
		return errors.New("one index is of the first version, whose models had other fingerprints")
	}
	return nil
}

// short is the beginning of a fingerprint, as errors show it.
func short(model string) string {
	if model == "" {
		return "that it does not name"
	}
	return fmt.Sprintf("%.12s…", model)
}

// Merge adds the entries of another index of the same model, in place of those of the same
// keys, and returns how many there were.
func (x *Index) Merge(other *Index) (int, error) {
	switch {
	case x == nil || other == nil:
		return 0, errClosed
	case x == other:
		return 0, errors.New("index: merge: an index with itself")
	}
	if err := x.Compatible(other); err != nil {
		return 0, fmt.Errorf("index: merge: %w", err)
	}
	n := 0
	for e := range other.Entries() {
		row, ok := other.Embedding(e.Key)
		if !ok {
			continue // deleted meanwhile
		}
		x.mu.Lock()
		if x.close == nil {
			x.mu.Unlock()
			return n, errClosed
		}
		if old, there := x.find(e.Key); there {
			x.remove(old)
		}
		x.put(e, row)
		x.mu.Unlock()
		n++
	}
	return n, nil
}
