package dataset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/goclip/goclip/internal/dice"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/pillow"
)

// loader is the goroutines behind one sequence: one goes through the source and
// puts jobs in line, workers do them in any order, and next takes them in line.
type loader struct {
	o      *BatchOptions
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	line   chan *job // in order; its length bounds what is made ahead
	work   chan *job // the same, to be done
	tally  tally

	// With a Share: what it decodes of a full batch, the jobs of which all processes know
	// what became, and how many samples of an epoch are known to be bad.
	from, to int
	settled  []*job
	behind   atomic.Pointer[behind]
}

// job is one sample on its way, or the end of an epoch, or a source's error.
type job struct {
	sample     Sample
	epoch      int
	number     int // of the sample among those of its epoch that are not skipped
	position   int // the cursor's after this sample
	endOfEpoch bool

	pair    Pair
	tried   bool          // it was decoded here, or could not be
	suspect bool          // it could not be decoded somewhere
	fault   error         // of this sample
	err     error         // of the run
	ready   chan struct{} // closed when pair, fault or err is set
}

// tally is what an epoch has given so far.
type tally struct {
	samples, good, batches int
	resumed                bool // and so does not show the whole epoch
	firstBad               error
}

var errDone = errors.New("done")

func startLoader(ctx context.Context, src Source, o *BatchOptions) *loader {
	l := &loader{o: o, line: make(chan *job, o.Prefetch), work: make(chan *job, o.Prefetch)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.tally.resumed = o.Start.Position > 0
	l.behind.Store(&behind{})
	if o.Share != nil {
		l.from, l.to = o.Share.part(o.Size)
	}
	l.done.Add(1 + o.Workers)
	go func() {
		defer l.done.Done()
		defer close(l.line)
		defer close(l.work)
		if err := guard.Call(func() error { l.produce(src); return nil }); err != nil {
			l.put(&job{err: fmt.Errorf("dataset: batches: the source: %w", err), ready: closedChannel()})
		}
	}()
	for range o.Workers {
		go func() {
			defer l.done.Done()
			for j := range l.work {
				l.do(j)
			}
		}()
	}
	return l
}

func (l *loader) stop() {
	l.cancel()
	l.done.Wait()
}

// produce goes through the source, epoch after epoch.
func (l *loader) produce(src Source) {
	closed := closedChannel()
	skip := l.o.Start.Position
	for epoch := l.o.Start.Epoch; l.o.Epochs == 0 || epoch < l.o.Epochs; epoch++ {
		order := Order{Shuffle: l.o.Shuffle, Seed: l.o.Seed, Epoch: epoch, Skip: skip}
		position := skip
		for sample, err := range src.Samples(l.ctx, order) {
			if err != nil {
				l.put(&job{err: err, ready: closed})
				return
			}
			position++
			j := &job{sample: sample, epoch: epoch, number: position - 1 - skip, position: position, ready: make(chan struct{})}
			if !l.put(j) {
				return
			}
			l.work <- j // always moves on: the workers empty it even when ctx has ended
		}
		if !l.put(&job{epoch: epoch, position: position, endOfEpoch: true, ready: closed}) {
			return
		}
		skip = 0
	}
}

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (l *loader) put(j *job) bool {
	select {
	case l.line <- j:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// do makes a sample into a pair.
func (l *loader) do(j *job) {
	defer close(j.ready)
	if j.err = l.ctx.Err(); j.err != nil {
		return
	}
	// Epoch after epoch, the captions of a sample take turns from a first one
	// that is drawn.
	first := dice.New(l.o.Seed, dice.Caption, j.sample.ID)
	j.pair, j.fault = j.sample.undecoded(first.Uint64()>>1 + uint64(j.epoch))
	if j.fault == nil && l.ours(j) {
		l.decode(j)
	}
}

// decode gives a pair its image, augmented.
func (l *loader) decode(j *job) {
	j.tried = true
	j.pair.Image, j.fault = j.sample.decode(l.ctx)
	if j.err = l.ctx.Err(); j.err != nil || j.fault != nil || l.o.Augment == nil {
		return
	}
	d := dice.New(l.o.Seed, dice.Augment, dice.Mix(uint64(j.epoch))+j.sample.ID)
	nothing := false
	j.fault = guard.Call(func() error {
		img := pillow.Stored(j.pair.Image)
		if l.o.Upright {
			img = pillow.Upright(j.pair.Image)
		}
		j.pair.Image = l.o.Augment(rand.New(&d), img)
		nothing = j.pair.Image == nil || j.pair.Image.Bounds().Empty()
		return nil
	})
	if nothing {
		j.err = fmt.Errorf("dataset: batches: Augment made nothing of %s: %s", j.sample.File, j.sample.Key)
	}
}

// take waits for the next job in line.
func (l *loader) take() (*job, error) {
	j, ok := <-l.line
	if ok {
		<-j.ready
	}
	if err := l.ctx.Err(); err != nil {
		return nil, fmt.Errorf("dataset: batches: %w", err)
	}
	if !ok {
		return nil, errDone
	}
	return j, j.err
}

// next puts the next batch together.
func (l *loader) next() (Batch, error) {
	var pairs []Pair
	for {
		j, err := l.certain()
		switch {
		case err != nil:
			return Batch{}, err
		case j.endOfEpoch:
			last := len(pairs) > 0 && l.o.KeepLast
			if err := l.endEpoch(j.epoch, last); err != nil {
				return Batch{}, err
			}
			if last {
				return Batch{pairs, j.epoch, Cursor{Epoch: j.epoch + 1, Seed: l.o.Seed}}, nil
			}
			pairs = nil
			continue
		}
		l.tally.samples++
		if j.fault != nil {
			if err := l.bad(j); err != nil {
				return Batch{}, err
			}
			continue
		}
		l.tally.good++
		pairs = append(pairs, j.pair)
		if len(pairs) == l.o.Size {
			l.tally.batches++
			return Batch{pairs, j.epoch, Cursor{j.epoch, j.position, l.o.Seed}}, nil
		}
	}
}

func (j *job) bad() Bad { return Bad{File: j.sample.File, Key: j.sample.Key, Reason: j.fault.Error()} }

// bad takes a sample out of the run.
func (l *loader) bad(j *job) error {
	b := j.bad()
	if l.tally.firstBad == nil {
		l.tally.firstBad = errors.New(b.String())
	}
	if l.o.Ledger == nil {
		return fmt.Errorf("dataset: batches: %s (with a Ledger it would be recorded and skipped)", b)
	}
	return l.o.Ledger.Add(b.File, b.Key, b.Reason)
}

// endEpoch stops a run whose epochs give nothing, which would never end.
func (l *loader) endEpoch(epoch int, last bool) error {
	t := l.tally
	l.tally = tally{}
	switch {
	case t.batches > 0 || last || t.resumed:
		return nil
	case t.firstBad != nil:
		return fmt.Errorf("dataset: batches: epoch %d gave no batch of %d: of %d samples %d can be used; the first of the others: %w",
			epoch, l.o.Size, t.samples, t.good, t.firstBad)
	}
	return fmt.Errorf("dataset: batches: epoch %d gave no batch of %d: there are only %d samples", epoch, l.o.Size, t.samples)
}
