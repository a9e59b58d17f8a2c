package serve

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/goclip/goclip/internal/guard"
)

// input is what a tower takes of one image or text.
type input struct {
	pixels []float32 // or patches
	grid   [2]int    // of the patches
	ids    []int32   // of the context length
}

// job is one input on its way through a batcher.
type job struct {
	input
	ctx   context.Context
	since time.Time
	row   []float32 // the embedding, once done is closed
	err   error
	done  chan struct{}
}

// batcher puts the inputs of many requests into common passes of one tower. As an embedding
// does not depend on its batch, nobody sees whom he shared one with.
//
// A pass begins when it is full, when its first input has waited for as long as wait, or as
// soon as every input that is expected is there: one that is alone does not wait.
type batcher struct {
	size     int
	wait     time.Duration
	expected atomic.Int64 // inputs that are being prepared or wait
	jobs     chan *job
	run      func(ctx context.Context, jobs []*job) error // sets every row
	told     func(n int, took time.Duration)
	ended    chan struct{}
}

func newBatcher(size int, wait time.Duration, run func(context.Context, []*job) error, told func(int, time.Duration)) *batcher {
	b := &batcher{size: size, wait: wait, jobs: make(chan *job, size), run: run, told: told, ended: make(chan struct{})}
	go b.loop()
	return b
}

// do returns the embedding of an input, which is dropped where ctx ends before its pass
// begins. It is not called after close.
func (b *batcher) do(ctx context.Context, in input) ([]float32, error) {
	j := &job{input: in, ctx: ctx, since: time.Now(), done: make(chan struct{})}
	select {
	case b.jobs <- j:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-j.done:
		return j.row, j.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close ends the batcher, to which nobody sends any more.
func (b *batcher) close() {
	close(b.jobs)
	<-b.ended
}

func (b *batcher) loop() {
	defer close(b.ended)
	var waiting []*job
	for open := true; open || len(waiting) > 0; {
		waiting, open = b.gather(waiting)
		waiting = present(waiting)
		if n := b.passSize(len(waiting)); n > 0 {
			b.pass(waiting[:n])
			waiting = append([]*job(nil), waiting[n:]...)
		}
	}
}

// gather waits for a pass to be worth its while.
func (b *batcher) gather(waiting []*job) (_ []*job, open bool) {
	if len(waiting) == 0 {
		j, open := <-b.jobs
		if !open {
			return nil, false
		}
		waiting = append(waiting, j)
	}
	late := time.NewTimer(time.Until(waiting[0].since.Add(b.wait)))
	defer late.Stop()
	for len(waiting) < b.size {
		select { // what is there already comes along, however late it is
		case j, open := <-b.jobs:
			if !open {
				return waiting, false
			}
			waiting = append(waiting, j)
			continue
		default:
		}
		if int64(len(waiting)) >= b.expected.Load() {
			return waiting, true
		}
		select {
		case j, open := <-b.jobs:
			if !open {
				return waiting, false
			}
			waiting = append(waiting, j)
		case <-late.C:
			return waiting, true
		}
	}
	return waiting, true
}

// passSize is how many of n inputs share a pass: all that it takes, or a power of two, since
// every size is a compiled pass of its own.
func (b *batcher) passSize(n int) int {
	if n >= b.size {
		return b.size
	}
	size := 1
	for size*2 <= n {
		size *= 2
	}
	return min(size, n)
}

// present leaves out the jobs of clients that went away.
func present(jobs []*job) []*job {
	kept := jobs[:0]
	for _, j := range jobs {
		if j.ctx.Err() == nil {
			kept = append(kept, j)
		}
	}
	clear(jobs[len(kept):])
	return kept
}

// pass runs the tower. It is cut short where all of its clients have gone.
func (b *batcher) pass(jobs []*job) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var here atomic.Int64
	here.Store(int64(len(jobs)))
	for _, j := range jobs {
		stop := context.AfterFunc(j.ctx, func() {
			if here.Add(-1) == 0 {
				cancel()
			}
		})
		defer stop()
	}
	began := time.Now()
	err := guard.Call(func() error { return b.run(ctx, jobs) })
	b.told(len(jobs), time.Since(began))
	for _, j := range jobs {
		j.err = err
		close(j.done)
	}
}
