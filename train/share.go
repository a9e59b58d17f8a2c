package train

import (
	"context"

	"github.com/goclip/goclip/dataset"
)

// Share is what this rank decodes of each batch: the images of the pairs that it takes through the
// towers. It is nil where there is one rank, which decodes all. [Trainer.Fit] has it; a loop of
// one's own over [dataset.Batches] sets it in their options.
func (t *Trainer) Share() *dataset.Share {
	if t == nil || t.world.size() == 1 {
		return nil
	}
	return &dataset.Share{
		Part: func(n int) (from, to int) {
			mine := t.world.pairs(n, t.cfg.MicroBatch, t.world.rank())
			return mine.from, mine.to
		},
		Agree: func(ctx context.Context, at string, bad []int, err error) ([][]int, error) {
			if err := t.world.agree(ctx, err, []byte(at)); err != nil {
				return nil, err
			}
			return t.world.lists(ctx, bad)
		},
	}
}

// lists gives all ranks what each one lists.
func (w world) lists(ctx context.Context, mine []int) ([][]int, error) {
	one, cuts := make([]int, w.size()+1), make([]int, w.size()+1)
	for r := range one {
		one[r] = r
	}
	lengths := make([]float64, w.size())
	lengths[w.rank()] = float64(len(mine))
	if err := w.wide(ctx, lengths, one); err != nil {
		return nil, err
	}
	for r, n := range lengths {
		cuts[r+1] = cuts[r] + int(n)
	}
	numbers := make([]float64, cuts[w.size()])
	for i, v := range mine {
		numbers[cuts[w.rank()]+i] = float64(v)
	}
	if err := w.wide(ctx, numbers, cuts); err != nil {
		return nil, err
	}
	all := make([][]int, w.size())
	for r := range all {
		for _, v := range numbers[cuts[r]:cuts[r+1]] {
			all[r] = append(all[r], int(v))
		}
	}
	return all, nil
}
