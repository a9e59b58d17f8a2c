package scaling

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// RunAll returns the records of all runs, in their order. Those that the log has
// are taken from it; the others are trained, so many at once, begun in their order,
// and added to the log as each is done. The first failure, and the end of ctx, stop
// those that are running; what has finished by then stays in the log, so that a
// further call resumes from there. Train is called from several goroutines at once.
func RunAll(ctx context.Context, log *Log, runs []Run, parallel int, train func(context.Context, Run) (Record, error)) ([]Record, error) {
	if parallel < 1 {
		return nil, fmt.Errorf("scaling: %d runs at once, want 1 or more", parallel)
	}
	out, errs := make([]Record, len(runs)), make([]error, len(runs))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(parallel, len(runs)) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				if out[i], errs[i] = once(ctx, log, runs[i], train); errs[i] != nil {
					stop(errs[i])
				}
			}
		}()
	}
feed:
	for i := range runs {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return out, errors.Join(errs...)
}

// once returns the record of a run from the log, or trains it.
func once(ctx context.Context, log *Log, r Run, train func(context.Context, Run) (Record, error)) (Record, error) {
	if record, ok := log.Find(r); ok {
		return record, nil
	}
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	record, err := train(ctx, r)
	if err != nil {
		return Record{}, fmt.Errorf("scaling: width %d, layers %d, %d samples: %w", r.Width, r.Layers, r.Samples(), err)
	}
	record.Run = r
	return record, log.Append(record)
}
