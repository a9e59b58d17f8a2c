package embeddings

import (
	"context"
	"errors"
	"iter"

	"github.com/goclip/goclip/dataset"
)

// taker gives the samples of a set a part at a time. It is a [dataset.Source] of the next
// ones.
type taker struct {
	next   func() (dataset.Sample, error, bool)
	left   int // in this part
	taken  int // of this part
	ahead  dataset.Sample
	peeked bool
}

// Len is not known.
func (t *taker) Len() int { return -1 }

// Samples are the next ones, once.
func (t *taker) Samples(context.Context, dataset.Order) iter.Seq2[dataset.Sample, error] {
	return func(yield func(dataset.Sample, error) bool) {
		for t.left > 0 {
			s, err, ok := t.take()
			if !ok {
				return
			}
			t.left--
			t.taken++
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func (t *taker) take() (dataset.Sample, error, bool) {
	if t.peeked {
		s := t.ahead
		t.ahead, t.peeked = dataset.Sample{}, false
		return s, nil, true
	}
	return t.next()
}

// ended tells whether no sample is left.
func (t *taker) ended() (bool, error) {
	if t.peeked {
		return false, nil
	}
	s, err, ok := t.next()
	if ok && err == nil {
		t.ahead, t.peeked = s, true
	}
	return !ok, err
}

// drop passes over n samples.
func (t *taker) drop(n int) error {
	for range n {
		if _, err, ok := t.take(); err != nil || !ok {
			return errors.Join(errors.New("the set has fewer images than when its parts were made"), err)
		}
	}
	return nil
}
