package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"math/rand/v2"
	"runtime"
)

// BatchOptions says how [Batches] goes through a set.
type BatchOptions struct {
	Size    int    // pairs a batch; required
	Epochs  int    // number of passes over the set; 0 means without end
	Shuffle bool   // in a new order each epoch
	Seed    uint64 // decides the orders, the captions and the augmentation

	// KeepLast yields the pairs that are left at the end of an epoch as a
	// smaller batch. Else they are dropped.
	KeepLast bool

	// Start is where to resume: the Next of the last batch of an earlier run.
	Start Cursor

	// Upright turns photographs as vision.Upright does, before Augment changes them.
	// Where there is no Augment, a model's preprocessing does so if it says so.
	// A trainer sets it as its model's preprocessing has it.
	Upright bool

	// Augment, where set, changes each decoded image. It is called from several
	// goroutines; its random numbers depend on the seed, the epoch and the
	// sample only. A panic makes the sample bad.
	Augment Augment

	// Ledger takes the samples that cannot be used. Where it is nil, the first
	// of them ends the sequence.
	Ledger *Ledger

	// Workers is the number of goroutines that decode, 0 means GOMAXPROCS;
	// Prefetch the number of pairs prepared ahead, 0 means Size. Neither
	// changes what is yielded.
	Workers, Prefetch int

	// Share, where not nil, is what of each batch is decoded here, by one of several
	// processes. A trainer sets it as its ranks have it.
	Share *Share
}

// Augment returns an augmented version of img, which it must not write to.
// Package augment has the usual ones.
type Augment func(r *rand.Rand, img image.Image) image.Image

// Cursor is a position in the sequence of batches. The zero value is its
// beginning.
type Cursor struct {
	Epoch    int    `json:"epoch"`
	Position int    `json:"position"` // samples of this epoch already used
	Seed     uint64 `json:"seed"`
}

// Batch is the pairs of one training step.
type Batch struct {
	Pairs []Pair
	Epoch int    // from 0
	Next  Cursor // where the batch after this one begins
}

// Batches yields the batches of a set, decoded and augmented ahead by several
// goroutines. One seed gives one sequence, whatever the number of goroutines
// and their timing, and a sequence started at a cursor continues the one that
// the cursor came from.
//
// A sample that cannot be used is recorded in the ledger and the next one takes
// its place. The sequence ends after an error: invalid options, a batch larger
// than the set, a source that fails, a ledger beyond its limit, an epoch
// without a single batch, or the end of ctx.
//
// Memory holds about Prefetch + Size augmented images and Workers decoded ones; with a Share,
// that part of the augmented ones.
// When the loop over the sequence ends, so do its goroutines.
func Batches(ctx context.Context, src Source, o BatchOptions) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if err := o.ready(src); err != nil {
			yield(Batch{}, err)
			return
		}
		if noted, ok := src.(interface{ Notes() []Bad }); ok {
			o.Ledger.note(noted.Notes())
		}
		loader := startLoader(ctx, src, &o)
		defer loader.stop()
		for {
			batch, err := loader.next()
			if err == errDone {
				return
			}
			if err != nil {
				yield(Batch{}, err)
				return
			}
			if !yield(batch, nil) {
				return
			}
		}
	}
}

// ready checks the options against the source and fills in the defaults.
func (o *BatchOptions) ready(src Source) error {
	if src == nil {
		return errors.New("dataset: batches: Source is nil")
	}
	n := src.Len()
	if o.Start == (Cursor{}) {
		o.Start.Seed = o.Seed
	}
	switch {
	case o.Size < 1:
		return fmt.Errorf("dataset: batches: Size %d, want 1 or more", o.Size)
	case o.Share != nil && (o.Share.Part == nil || o.Share.Agree == nil):
		return errors.New("dataset: batches: the Share lacks Part or Agree")
	case o.Epochs < 0 || o.Workers < 0 || o.Prefetch < 0:
		return fmt.Errorf("dataset: batches: Epochs %d, Workers %d, Prefetch %d: none may be negative", o.Epochs, o.Workers, o.Prefetch)
	case n == 0:
		return errors.New("dataset: batches: the set is empty")
	case n > 0 && n < o.Size && !o.KeepLast:
		return fmt.Errorf("dataset: batches: a batch of %d, but the set has only %d samples (KeepLast allows it)", o.Size, n)
	case o.Start.Seed != o.Seed:
		return fmt.Errorf("dataset: batches: the cursor is of seed %d, but Seed is %d", o.Start.Seed, o.Seed)
	case o.Start.Epoch < 0 || o.Start.Position < 0 || n > 0 && o.Start.Position > n:
		return fmt.Errorf("dataset: batches: the cursor is at sample %d of epoch %d, but the set has %d samples", o.Start.Position, o.Start.Epoch, n)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Prefetch == 0 {
		o.Prefetch = o.Size
	}
	return nil
}
