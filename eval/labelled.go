package eval

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/lists"
)

// labelled is embeddings with the number of each one's class.
type labelled struct {
	x *encoder.Embeddings // (N, D)
	y []int
}

// labelled returns the classes of a training set in alphabetical order, and its
// images that have a label. What is to be classified must come from the same
// model.
func (f *Features) labelled(others ...*Features) ([]string, *labelled, error) {
	if f == nil {
		return nil, nil, errors.New("train is nil")
	}
	for _, each := range append(others, f) {
		if err := each.check(); err != nil {
			return nil, nil, err
		}
	}
	set := make(map[string]string) // by key, the first in the alphabet
	for _, l := range f.Labels {
		key := lists.Key(l, f.Verbatim)
		if first, ok := set[key]; l != "" && (!ok || l < first) {
			set[key] = l
		}
	}
	if len(set) == 0 {
		return nil, nil, errors.New("the training set has no labels")
	}
	classes := slices.Sorted(maps.Values(set))
	for _, o := range others {
		if o.Images.Dim != f.Images.Dim {
			return nil, nil, fmt.Errorf("embeddings of %d numbers beside a training set's of %d", o.Images.Dim, f.Images.Dim)
		}
	}
	return classes, f.within(classes, f.Verbatim), nil
}

// within returns the images of the classes given.
func (f *Features) within(classes []string, verbatim bool) *labelled {
	index := make(map[string]int, len(classes))
	for i, c := range classes {
		index[lists.Key(c, verbatim)] = i
	}
	l := &labelled{x: &encoder.Embeddings{Dim: f.Images.Dim}}
	for i, label := range f.Labels {
		if y, ok := index[lists.Key(label, verbatim)]; ok && label != "" {
			l.append(f.Images.Row(i), y)
		}
	}
	return l
}

func (l *labelled) append(row []float32, y int) {
	l.x.N++
	l.x.Data = append(l.x.Data, row...)
	l.y = append(l.y, y)
}

// split holds out every fifth image of each class, counted in an order drawn
// from seed. A class of fewer than five stays whole.
func (l *labelled) split(seed uint64) (train, held *labelled) {
	train = &labelled{x: &encoder.Embeddings{Dim: l.x.Dim}}
	held = &labelled{x: &encoder.Embeddings{Dim: l.x.Dim}}
	seen := make(map[int]int)
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(l.x.N) {
		to := train
		if seen[l.y[i]]++; seen[l.y[i]]%5 == 0 {
			to = held
		}
		to.append(l.x.Row(i), l.y[i])
	}
	return train, held
}

// join returns the images of both.
func (l *labelled) join(o *labelled) *labelled {
	return &labelled{
		x: &encoder.Embeddings{N: l.x.N + o.x.N, Dim: l.x.Dim, Data: slices.Concat(l.x.Data, o.x.Data)},
		y: slices.Concat(l.y, o.y),
	}
}
