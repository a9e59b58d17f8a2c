package job

import (
	"context"
	"fmt"

	"github.com/goclip/goclip/train"
)

// parts is into how many micro-batches a batch is cut for several ranks, unless it is said:
// so 1, 2, 4 or 8 have equal parts.
const parts = 8

// ranks sees to it that each has something to do.
func (j *Job) ranks() error {
	ranks := j.Config.Ranks
	if ranks == nil {
		return nil
	}
	if j.Config.MicroBatch == 0 {
		j.Config.MicroBatch = (j.Batches.Size + parts - 1) / parts
	}
	if n := (j.Batches.Size + j.Config.MicroBatch - 1) / max(1, j.Config.MicroBatch); n < ranks.Size() {
		return fmt.Errorf("job: %d ranks, but a batch of %d pairs has %d micro-batches of %d: want a smaller MicroBatch", ranks.Size(), j.Batches.Size, n, j.Config.MicroBatch)
	}
	return nil
}

// follow is Run on the other ranks than the first.
func (t *Training) follow(ctx context.Context) (r Result, err error) {
	run := t.run(nil)
	if err := train.Agree(ctx, t.job.Config.Ranks, nil); err != nil { // lead has a folder to write to
		return r, err
	}
	err = t.trainer.Fit(ctx, t.job.Set, run)
	r.Steps = t.trainer.Steps()
	return r, err
}
